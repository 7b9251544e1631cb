/** Lets tokens come in a process of its own, and says by how much the heap has grown. */
import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createVerifier as createFastJwtVerifier } from 'fast-jwt';
import { createVerifier } from 'service-auth';
import { answerParent } from './children.ts';
import { fresh, heapBytes, must } from './harness.ts';
import { audience, createSigner, encode, issuer, now, type Signer } from './tokens.ts';

export type MemoryQuestion =
  | { readonly do: 'keep'; readonly who: 'service-auth' | 'fast-jwt'; readonly tokens: number }
  | { readonly do: 'flood'; readonly kind: 'jwt' | 'opaque'; readonly tokens: number };

/** Judges a token, and tells whether it is good. */
type Judge = (token: string) => Promise<boolean>;

answerParent(async (question: MemoryQuestion) => {
  const signer = await createSigner(question.do === 'keep' ? 'ES256' : 'RS256');
  return question.do === 'keep'
    ? keep(question.who === 'fast-jwt' ? fastJwt(signer, question.tokens) : ours(signer, question.tokens), {
        signer,
        tokens: question.tokens,
      })
    : flood(question.kind, signer, question.tokens);
});

/** Beyond the characters of the tokens themselves, which take a byte each. */
async function keep(judge: Judge, { signer, tokens }: { signer: Signer; tokens: number }): Promise<number> {
  await judge(signer.token());
  const before = heapBytes();
  let characters = 0;
  for (let at = 0; at < tokens; at++) {
    const token = fresh(signer.token());
    characters += token.length;
    must(await judge(token));
  }
  const bytes = heapBytes() - before - characters;
  // So that the judge and what it keeps are still there.
  await judge(signer.token());
  return bytes;
}

function ours({ jwk }: Signer, maxTokens: number): Judge {
  const verifier = createVerifier({
    issuer: { issuer, jwks: { keys: [jwk] } },
    audience,
    cache: { maxTokens: maxTokens + 10 },
  });
  return async (token) => (await verifier.verifyToken(token)).ok;
}

function fastJwt({ publicKey }: Signer, tokens: number): Judge {
  const check = createFastJwtVerifier({
    key: publicKey?.export({ type: 'spki', format: 'pem' }) ?? '',
    algorithms: ['ES256'],
    allowedIss: issuer,
    allowedAud: audience,
    cache: tokens + 10,
  });
  return async (token) => check(token) !== undefined;
}

/** The worst of looks that are taken while it goes on, and at its end. */
async function flood(kind: 'jwt' | 'opaque', signer: Signer, tokens: number): Promise<number> {
  const verifier = createVerifier({
    issuer: {
      issuer,
      jwks: { keys: [signer.jwk] },
      introspection: {
        endpoint: `${issuer}/introspect`,
        clientId: 'orders',
        clientSecret: 'of the benchmark',
      },
    },
    audience,
    fetch: async () => Response.json({ active: false }),
  });
  const make = kind === 'jwt' ? badTokens(signer) : () => randomBytes(32).toString('base64url');
  await verifier.verifyToken(make());
  const before = heapBytes();
  let most = 0;
  for (let at = 1; at <= tokens; at++) {
    if ((await verifier.verifyToken(fresh(make()))).ok) throw new Error('a bad token passed');
    if (at % 1000 === 0) await nextTurn();
    if (at % Math.ceil(tokens / 10) === 0 || at === tokens) most = Math.max(most, heapBytes() - before);
  }
  return most;
}

/** In turn: a wrong signature, an unknown key, another issuer, an algorithm that is not allowed, no JSON at all. */
function badTokens(signer: Signer): () => string {
  const [header = '', , signature = ''] = signer.token().split('.');
  const seconds = Math.floor(now / 1000);
  const claims = { iss: issuer, sub: 'somebody', aud: audience, client_id: 'somebody', exp: seconds + 3600 };
  let made = 0;
  const payload = (more?: object): string => encode({ ...claims, jti: `${made}`, ...more });
  const headerWith = (more: object): string => encode({ alg: 'RS256', typ: 'at+jwt', ...more });
  const kinds = [
    () => `${header}.${payload()}.${signature}`,
    () => `${headerWith({ kid: `unknown-${made}` })}.${payload()}.${signature}`,
    () => `${header}.${payload({ iss: `https://issuer-${made}.example` })}.${signature}`,
    () => `${headerWith({ alg: `X${made}` })}.${payload()}.${signature}`,
    () => `${header}.${randomBytes(24).toString('base64url')}.${signature}`,
  ];
  return () => kinds[made++ % kinds.length]?.() ?? '';
}
