/** DPoP proofs, made by node:crypto from any text, and what may be done to them before and after they are signed. */
import { constants, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { encodeJson, nowSeconds } from './tokens.ts';

export interface ProofSigner {
  readonly name: string;
  readonly alg: string;
  readonly jkt: string;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
  sign(text: string): Buffer;
}

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const pairs: Readonly<Record<string, () => Pair>> = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: () => generateKeyPairSync('ed25519'),
  Ed25519: () => generateKeyPairSync('ed25519'),
  'RS256 with 1024 bits': () => generateKeyPairSync('rsa', { modulusLength: 1024 }),
};

export const signers: readonly ProofSigner[] = await Promise.all(
  Object.entries(pairs).map(async ([name, make]) => {
    const { publicKey, privateKey } = make();
    const [alg = ''] = name.split(' ');
    const publicJwk = publicKey.export({ format: 'jwk' }) as JWK;
    return {
      name,
      alg,
      publicJwk,
      privateJwk: privateKey.export({ format: 'jwk' }) as JWK,
      jkt: await calculateJwkThumbprint(publicJwk),
      sign: (text: string) => signAs(alg, privateKey, text),
    };
  }),
);

function signAs(alg: string, key: KeyObject, text: string): Buffer {
  const data = Buffer.from(text);
  if (alg.startsWith('Ed')) return signBytes(null, data, key);
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('ES')) return signBytes(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  if (alg === 'RS256') return signBytes(hash, data, key);
  return signBytes(hash, data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
}

/** A proof before it is signed: members, and the text that is made of them. */
export interface Draft {
  readonly signer: ProofSigner;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly headerText: (json: string) => string;
  readonly claimsText: (json: string) => string;
}

export function write({ signer, header, claims, headerText, claimsText }: Draft): string {
  const input = [headerText(JSON.stringify(header)), claimsText(JSON.stringify(claims))]
    .map((text) => Buffer.from(text).toString('base64url'))
    .join('.');
  return `${input}.${signer.sign(input).toString('base64url')}`;
}

export type Mutation = (draft: Draft) => Draft;
export type Named<T> = readonly (readonly [name: string, value: T])[];

const header =
  (changes: object): Mutation =>
  (draft) => ({ ...draft, header: { ...draft.header, ...changes } });
const claims =
  (changes: object): Mutation =>
  (draft) => ({ ...draft, claims: { ...draft.claims, ...changes } });
const jwk =
  (changes: object | ((draft: Draft) => object)): Mutation =>
  (draft) =>
    header({
      jwk: { ...draft.signer.publicJwk, ...(typeof changes === 'function' ? changes(draft) : changes) },
    })(draft);
const text =
  (part: 'headerText' | 'claimsText', change: (json: string) => string): Mutation =>
  (draft) => ({ ...draft, [part]: (json: string) => change(draft[part](json)) });

/** Each value of a list as a mutation of its own. */
function each(name: string, make: (value: unknown) => Mutation, values: readonly unknown[]): Named<Mutation> {
  return values.map((value) => [`${name} ${String(JSON.stringify(value)).slice(0, 60)}`, make(value)]);
}

const noText = [undefined, null, 0, 1, true, [], {}, ''];
/** What the request's URL is without its query. */
export const url = 'https://orders.example/orders/7';

const headerMutations: Named<Mutation> = [
  ...each('typ', (typ) => header({ typ }), [
    ...noText,
    'DPoP+JWT',
    'application/dpop+jwt',
    'APPLICATION/DPOP+JWT',
    'application/application/dpop+jwt',
    'x/dpop+jwt',
    'dpop',
    'dpop+jwt ',
    'JWT',
    'at+jwt',
  ]),
  ...each('alg', (alg) => header({ alg }), [
    ...noText,
    ...['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA', 'Ed25519', 'RS384', 'PS512', 'Ed448', 'ES256K'],
    ...['none', 'None', 'HS256', 'es256', 'ES256 ', 'dir'],
  ]),
  ...each('crit', (crit) => header({ crit }), [[], ['exp'], ['b64'], 'b64', null]),
  ...each('b64', (b64) => header({ b64 }), [true, false]),
  ...each('b64, critical,', (b64) => header({ b64, crit: ['b64'] }), [true, false]),
  ...each('kid', (kid) => header({ kid }), ['a', '', ...noText.slice(1)]),
  ...each('others', (other) => header(other as object), [
    { jku: 'https://evil.example/jwks', x5u: 'https://evil.example/x5u', x5c: ['AAAA'] },
    { cty: 'JWT', zip: 'DEF', nonce: 1 },
    { a: { b: [{ c: null }] } },
  ]),
];

const jwkMutations: Named<Mutation> = [
  ...each('jwk', (value) => header({ jwk: value }), [...noText, 'a', [{}]]),
  [
    'jwk of another client',
    (draft) => header({ jwk: signers.find(({ jkt }) => jkt !== draft.signer.jkt)?.publicJwk })(draft),
  ],
  ['jwk with the private key', jwk(({ signer }) => signer.privateJwk)],
  ['jwk as a shared secret', header({ jwk: { kty: 'oct', k: 'AAAA' } })],
  ...each('jwk.use', (use) => jwk({ use }), ['sig', 'enc', '', null, 1]),
  ...each('jwk.key_ops', (operations) => jwk({ key_ops: operations }), [
    ['verify'],
    ['verify', 'sign'],
    ['verify', 'verify'],
    ['sign'],
    ['encrypt'],
    [],
    'verify',
    null,
    {},
  ]),
  ...each('jwk.alg', (alg) => jwk({ alg }), [
    'ES256',
    'RS256',
    'PS256',
    'EdDSA',
    'Ed25519',
    'none',
    '',
    null,
    1,
  ]),
  ['jwk.alg as the header says', (draft) => jwk({ alg: draft.signer.alg })(draft)],
  ...each('jwk.kid', (kid) => jwk({ kid }), ['a', ...noText.slice(1)]),
  ...each('jwk.ext', (ext) => jwk({ ext }), [true, false, 'true', null]),
  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].flatMap((name) =>
    each(`jwk.${name}`, (value) => jwk({ [name]: value }), ['AAAA', '', null]),
  ),
  ...['kty', 'crv', 'x', 'y', 'n', 'e'].flatMap((name) =>
    each(`jwk.${name}`, (value) => jwk({ [name]: value }), [
      ...noText,
      'AAAA',
      'RSA',
      'EC',
      'P-256',
      'P-384',
      'Ed25519',
      'AQAB',
      'AQ',
    ]),
  ),
  ['jwk with members that nobody knows', jwk({ priv: undefined, pub: 'AAAA', x5t: 'AAAA', a: [{}] })],
];

const claimMutations: Named<Mutation> = [
  ...each('htm', (htm) => claims({ htm }), [...noText, 'post', 'Post', 'GET', 'POST ', ['POST']]),
  ...each('htu', (htu) => claims({ htu }), [
    ...noText,
    [url],
    'HTTPS://ORDERS.example/orders/7',
    'https://orders.example:443/orders/7',
    'https://orders.example:0443/orders/7',
    'https://orders.example:8443/orders/7',
    `${url}?page=2`,
    `${url}?page=3`,
    `${url}?`,
    `${url}#`,
    `${url}#a`,
    `${url}/`,
    'https://orders.example/Orders/7',
    'https://orders.example/orders/%37',
    'https://orders.example/%6Frders/7',
    'https://orders.example/%6frders/7',
    'https://orders.example/orders%2F7',
    'https://orders.example/orders/7%',
    'https://orders.example/orders/%zz7',
    'https://orders.example/./orders/x/../7',
    'https://orders.example/orders/%2e%2e/orders/7',
    'https://orders.example//orders/7',
    'https://orders.example',
    'http://orders.example/orders/7',
    'https://orders.example./orders/7',
    'https://orders.example.evil.example/orders/7',
    'https://me@orders.example/orders/7',
    'https://@orders.example/orders/7',
    'https://:@orders.example/orders/7',
    'https:orders.example/orders/7',
    'https:/orders.example/orders/7',
    'https:///orders.example/orders/7',
    'https:\\\\orders.example\\orders\\7',
    'https://orders.example\\orders\\7',
    ' https://orders.example/orders/7',
    'https://orders.example/orders/7 ',
    'https://orders.example/or\nders/7',
    'https://orders.example/orders/7\u0000',
    'https://ｏrders.example/orders/7',
    'https://orders.example/orders/\u0037\u0301',
    'https://%6frders.example/orders/7',
    '/orders/7',
    '//orders.example/orders/7',
    'orders.example/orders/7',
    'javascript:0',
  ]),
  ...each('iat', (iat) => claims({ iat }), [
    ...noText,
    ...[-66, -65.001, -65, -64.5, -1, 0.5, 4.999, 5, 5.001, 6, 60].map((seconds) => nowSeconds + seconds),
    nowSeconds * 1000,
    `${nowSeconds}`,
    [nowSeconds],
    -1,
  ]),
  ...each('ath', (ath) => claims({ ath }), [...noText, 'AAAA', 'A'.repeat(43)]),
  ['ath with padding', (draft) => claims({ ath: `${draft.claims.ath}=` })(draft)],
  ['ath in a list', (draft) => claims({ ath: [draft.claims.ath] })(draft)],
  ['ath in lower case', (draft) => claims({ ath: String(draft.claims.ath).toLowerCase() })(draft)],
  ...each('jti', (jti) => claims({ jti }), [
    ...noText,
    'a',
    ' ',
    '\u0000',
    '𝄞',
    'a'.repeat(256),
    'a'.repeat(257),
    ['a'],
  ]),
  ...each('others', (other) => claims(other as object), [
    { exp: 0, nbf: nowSeconds * 2, aud: 'x', iss: 'x', sub: 'x' },
    { nonce: 'made up' },
    { nonce: null },
    { x: 'é€𝄞'.repeat(20) },
    { x: 'a'.repeat(9000) },
  ]),
];

const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const textMutations: Named<Mutation> = (['headerText', 'claimsText'] as const).flatMap((part) => {
  const change = (name: string, how: (json: string) => string) =>
    [`${part}: ${name}`, text(part, how)] as const;
  const member = (name: string, value: string) => (json: string) =>
    `${json.slice(0, -1)},"${name}":${value}}`;
  const before = (name: string, value: string) => (json: string) => `{"${name}":${value},${json.slice(1)}`;
  return [
    change('white space', (json) => ` \n\t${json.replaceAll(':', ' : ')}\r\n `),
    change('escapes', (json) => json.replace('"typ"', '"\\u0074yp"').replace('"htm"', '"\\u0068tm"')),
    change('a byte order mark', (json) => `\ufeff${json}`),
    change('a trailing comma', (json) => json.replace(/}$/, ',}')),
    change('a comment', (json) => `/**/${json}`),
    change('something behind', (json) => `${json}{}`),
    change('a list', (json) => `[${json}]`),
    change('text', (json) => JSON.stringify(json)),
    change('null', () => 'null'),
    change('nothing', () => ''),
    change('cut off', (json) => json.slice(0, -1)),
    change('NaN', member('iat', 'NaN')),
    change('a number beyond all', member('iat', '1e400')),
    change('a number with exponent', member('iat', `${nowSeconds / 1e9}e9`)),
    change('__proto__', member('__proto__', '{"htm":"GET","typ":"JWT","d":"AAAA"}')),
    change('constructor', member('constructor', '{"prototype":{}}')),
    change('nested 31 deep', member('deep', deep(31 - (part === 'headerText' ? 1 : 0)))),
    change('nested 40 deep', member('deep', deep(40))),
    ...['htm', 'htu', 'jti', 'typ', 'alg', 'jwk', 'iat', 'ath'].flatMap((name) => [
      change(`${name} twice, the last odd`, member(name, '"x"')),
      change(`${name} twice, the first odd`, before(name, '"x"')),
      change(`${name} twice, the last null`, member(name, 'null')),
    ]),
  ];
});

export const mutations: Named<Mutation> = [
  ['nothing', (draft) => draft],
  ...headerMutations,
  ...jwkMutations,
  ...claimMutations,
  ...textMutations,
];

export type Tampering = (proof: string, signer: ProofSigner) => string;

const part =
  (at: 0 | 1 | 2, change: (text: string, signer: ProofSigner) => string): Tampering =>
  (proof, signer) =>
    proof
      .split('.')
      .map((one, index) => (index === at ? change(one, signer) : one))
      .join('.');
const signature = (change: (bytes: Buffer, signer: ProofSigner) => Uint8Array): Tampering =>
  part(2, (one, signer) => Buffer.from(change(Buffer.from(one, 'base64url'), signer)).toString('base64url'));

const orders: Readonly<Record<string, bigint>> = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  ES512: BigInt(`0x1${'f'.repeat(65)}a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
};

/** The other signature that every ECDSA signature has: of s, its negative. */
function twin(bytes: Buffer, { alg }: ProofSigner): Buffer {
  const order = orders[alg];
  if (order === undefined) return bytes;
  const half = bytes.length / 2;
  const s = order - BigInt(`0x${bytes.subarray(half).toString('hex')}`);
  return Buffer.concat([bytes.subarray(0, half), Buffer.from(s.toString(16).padStart(half * 2, '0'), 'hex')]);
}

/** ASN.1 instead of the plain pair (RFC 7518 section 3.4). */
function der(bytes: Buffer): Buffer {
  const half = bytes.length / 2;
  const integers = [bytes.subarray(0, half), bytes.subarray(half)].map((number) =>
    Buffer.concat([Buffer.from([2, number.length + 1, 0]), number]),
  );
  const body = Buffer.concat(integers);
  return Buffer.concat([
    Buffer.from(body.length > 127 ? [0x30, 0x81, body.length] : [0x30, body.length]),
    body,
  ]);
}

/** The last character, with a bit set that no byte is made of, where there is such a bit. */
function leftOver(one: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  if (one.length % 4 === 0) return one;
  return one.slice(0, -1) + (alphabet[alphabet.indexOf(one.slice(-1)) ^ 1] ?? '');
}

export const tamperings: Named<Tampering> = [
  ['nothing', (proof) => proof],
  ...([0, 1, 2] as const).flatMap(
    (at): Named<Tampering> => [
      [`part ${at}: left-over bits`, part(at, leftOver)],
      [`part ${at}: padding`, part(at, (one) => `${one}=`)],
      [`part ${at}: much padding`, part(at, (one) => `${one}==`)],
      [`part ${at}: white space`, part(at, (one) => `${one.slice(0, 4)} ${one.slice(4)}`)],
      [`part ${at}: a line break`, part(at, (one) => `${one}\n`)],
      [`part ${at}: nothing`, part(at, () => '')],
      [`part ${at}: one character more`, part(at, (one) => `${one}A`)],
      [`part ${at}: four characters more`, part(at, (one) => `${one}AAAA`)],
      [`part ${at}: one character less`, part(at, (one) => one.slice(0, -1))],
      [`part ${at}: the other base64`, part(at, (one) => one.replaceAll('-', '+').replaceAll('_', '/'))],
      [`part ${at}: a letter of another alphabet`, part(at, (one) => `é${one.slice(1)}`)],
      [`part ${at}: twice`, part(at, (one) => `${one}.${one}`)],
    ],
  ),
  ['a dot in front', (proof) => `.${proof}`],
  ['a dot behind', (proof) => `${proof}.`],
  ['five parts', (proof) => `${proof}..`],
  ['no dots', (proof) => proof.replaceAll('.', '')],
  ['white space around', (proof) => ` ${proof} `],
  ['twice, as two headers are', (proof) => `${proof}, ${proof}`],
  ['the parts reversed', (proof) => proof.split('.').reverse().join('.')],
  [
    'JSON',
    (proof) => {
      const [protectedPart, payload, end] = proof.split('.');
      return JSON.stringify({ protected: protectedPart, payload, signature: end });
    },
  ],
  ['the header of none', part(0, () => encodeJson({ typ: 'dpop+jwt', alg: 'none' }))],
  ['a signature of zeros', signature((bytes) => Buffer.alloc(bytes.length))],
  ['a signature of ones', signature((bytes) => Buffer.alloc(bytes.length, 0xff))],
  ['a zero before the signature', signature((bytes) => Buffer.concat([Buffer.alloc(1), bytes]))],
  ['a zero behind the signature', signature((bytes) => Buffer.concat([bytes, Buffer.alloc(1)]))],
  ['the signature in DER', signature(der)],
  ['the twin of an ECDSA signature', signature(twin)],
];
