/** What services authenticate with, other than secrets: public keys, names of certificates, identities elsewhere. */
import * as z from 'zod';
import { keyAlgorithms } from '../../shared/crypto.ts';
import { parseAddress } from '../../shared/ip-range.ts';
import { parseKeySet } from '../../shared/key-set.ts';
import { parseUrl } from '../../shared/url.ts';
import { parseDistinguishedName } from '../clients/distinguished-name.ts';
import { issuerUrl, line, secureUrl } from './texts.ts';

const MOST_KEYS = 20;
const MOST_IDENTITIES = 20;
/** The members of private and symmetric keys (RFC 7518 section 6). */
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** An RSA modulus of 8192 bits. */
const number = z
  .string()
  .max(1400)
  .regex(/^[\w-]+$/, 'must be base64url');
const publicMembers = {
  kty: z.enum(['RSA', 'EC', 'OKP'], 'must be RSA, EC or OKP: keys of HMAC are not registered here'),
  kid: line.max(200).exactOptional(),
  use: z.literal('sig', "must be 'sig'").exactOptional(),
  key_ops: z.array(line.max(20)).max(10).exactOptional(),
  alg: line.max(20).exactOptional(),
  crv: line.max(20).exactOptional(),
  n: number.exactOptional(),
  e: number.exactOptional(),
  x: number.exactOptional(),
  y: number.exactOptional(),
};

/** Other members of a key are not kept. */
const publicKey = z
  .looseObject(publicMembers)
  .superRefine((jwk, context) => {
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message });
    if (secretMembers.some((member) => Object.hasOwn(jwk, member))) {
      refuse('has members of a private key: register its public part alone, and trust this key no more');
    } else if (parseKeySet({ keys: [jwk] }, keyAlgorithms).usable === 0) {
      refuse('is no public key for signatures: RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519');
    }
  })
  .pipe(z.object(publicMembers));

export const keySet = z.strictObject({ keys: z.array(publicKey).min(1).max(MOST_KEYS) });

const tlsClientMembers = {
  subjectDn: line
    .max(1000)
    .refine((text) => parseDistinguishedName(text) !== undefined, 'must be a distinguished name of RFC 4514'),
  sanDns: z
    .string()
    .max(253)
    .regex(/^[\w.*-]+$/, 'must be a host name'),
  sanUri: z.string().max(500).refine(isPlainUri, 'must be an absolute URI'),
  sanIp: z
    .string()
    .max(45)
    .refine((text) => parseAddress(text) !== undefined, 'must be an IP address'),
  sanEmail: z
    .string()
    .max(320)
    .regex(/^[\x21-\x7e]+@[\x21-\x7e]+$/, 'must be an e-mail address'),
};

export const tlsClientName = z
  .strictObject(tlsClientMembers)
  .partial()
  .refine((name) => Object.keys(name).length === 1, 'must have exactly one member');

/** Of a merge patch (RFC 7396): one name is given for another, whose member is null. */
export const tlsClientNamePatch = z.strictObject({
  subjectDn: tlsClientMembers.subjectDn.nullish(),
  sanDns: tlsClientMembers.sanDns.nullish(),
  sanUri: tlsClientMembers.sanUri.nullish(),
  sanIp: tlsClientMembers.sanIp.nullish(),
  sanEmail: tlsClientMembers.sanEmail.nullish(),
});

export const federatedIdentities = z
  .array(
    z
      .strictObject({
        issuer: issuerUrl,
        subject: line.max(500),
        audience: line.max(500).optional(),
        jwksUri: secureUrl.optional(),
        jwks: keySet.optional(),
      })
      .refine(({ jwks, jwksUri }) => jwks === undefined || jwksUri === undefined, {
        path: ['jwksUri'],
        message: 'must not be given together with jwks',
      }),
  )
  .max(MOST_IDENTITIES);

function isPlainUri(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && parseUrl(text) !== undefined;
}
