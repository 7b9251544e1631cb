/** The same work with ever more issuers, keys, policies and tokens: what one operation costs must hardly change. */
import { createVerifier, type Guard, type TrustedIssuer } from 'service-auth';
import { type Contender, must } from './harness.ts';
import { judging } from './judging.ts';
import { audience, createSigner, issuer, type Signer } from './tokens.ts';

const tens = [1, 10, 100, 1000];

/** Uncached tokens that come from all of the issuers in turn. Their names are as long as that of the first. */
export async function growthOfIssuers(operations: number): Promise<readonly Contender[]> {
  const signer = await createSigner('ES256');
  return tens.map((count) => {
    const names = Array.from({ length: count }, (_, at) => `${issuer}/${`${at}`.padStart(4, '0')}`);
    const issuers = names.map((name): TrustedIssuer => ({ issuer: name, jwks: { keys: [signer.jwk] } }));
    const tokens = Array.from({ length: operations }, (_, at) => signer.token({ iss: names[at % count] }));
    return verifying(nameOf(count, 'issuer'), issuers, tokens);
  });
}

/** Uncached tokens that are signed by all keys of one issuer in turn; 100 is the most that a set may have. */
export async function growthOfKeys(operations: number): Promise<readonly Contender[]> {
  const signers: Signer[] = [];
  for (let at = 0; at < 100; at++)
    signers.push(await createSigner('ES256', `key-${`${at}`.padStart(3, '0')}`));
  return [1, 10, 100].map((count) => {
    const own = signers.slice(0, count);
    const keys = own.map(({ jwk }) => jwk);
    const tokens = Array.from({ length: operations }, (_, at) => own[at % count]?.token() ?? '');
    return verifying(nameOf(count, 'key'), [{ issuer, jwks: { keys } }], tokens);
  });
}

function verifying(name: string, issuers: readonly TrustedIssuer[], tokens: readonly string[]): Contender {
  const verifier = createVerifier({ issuer: issuers, audience, cache: false });
  const [oneAtATime] = judging(name, { items: tokens }, (token) => verifier.verifyToken(token));
  return oneAtATime;
}

/** A cached token at ever more routes, each with a policy of its own. */
export async function growthOfPolicies(): Promise<readonly Contender[]> {
  const signer = await createSigner('ES256');
  const value = Buffer.from(`Bearer ${signer.token()}`, 'latin1');
  const contenders = tens.map(async (count): Promise<Contender> => {
    const verifier = createVerifier({ issuer: { issuer, jwks: { keys: [signer.jwk] } }, audience });
    const guards = Array.from({ length: count }, (_, at) =>
      verifier.guard({ scope: 'orders:read', clients: ['billing-service', `client-${at}`] }),
    );
    await guards[0]?.(requestWith(value.toString('latin1')));
    return {
      name: nameOf(count, 'policy', 'policies'),
      run: (from, operations) => {
        for (let at = from; at < from + operations; at++) {
          pass(guards[at % count], value.toString('latin1'));
        }
      },
    };
  });
  return Promise.all(contenders);
}

/** Tokens of the cache in turn, as fresh strings. */
export async function growthOfTokens(operations: number): Promise<readonly Contender[]> {
  const signer = await createSigner('ES256');
  const most = Math.min(operations, 100_000);
  const values = Array.from({ length: most }, () => Buffer.from(`Bearer ${signer.token()}`, 'latin1'));
  const contenders = [...tens, 10_000, 100_000].map(async (count): Promise<Contender> => {
    const own = values.slice(0, count);
    const verifier = createVerifier({
      issuer: { issuer, jwks: { keys: [signer.jwk] } },
      audience,
      cache: { maxTokens: 200_000 },
    });
    const guard = verifier.guard({ scope: 'orders:read' });
    for (const value of own) await guard(requestWith(value.toString('latin1')));
    return {
      name: nameOf(count, 'token'),
      run: (from, rest) => {
        for (let at = from; at < from + rest; at++) {
          pass(guard, own[at % own.length]?.toString('latin1') ?? '');
        }
      },
    };
  });
  return Promise.all(contenders);
}

function requestWith(authorization: string) {
  return { method: 'GET', url: '/orders', headers: { get: () => authorization } };
}

function pass(guard: Guard | undefined, authorization: string): void {
  const outcome = guard?.(requestWith(authorization));
  must(outcome !== undefined && 'ok' in outcome && outcome.ok);
}

/** One of it is the floor that the others are compared with. */
function nameOf(count: number, one: string, many = `${one}s`): string {
  return count === 1
    ? `floor: service-auth, 1 ${one}`
    : `service-auth, ${count.toLocaleString('en')} ${many}`;
}
