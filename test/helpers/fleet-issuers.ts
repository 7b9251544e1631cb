/** Two issuer processes on one PostgreSQL, behind one address, and a service that gets tokens there all the time. */
import { calculateJwkThumbprint, decodeProtectedHeader } from 'jose';
import { createTokenClient } from '../../src/index.ts';
import { createAdminClient } from '../../src/issuer/index.ts';
import { buildProgram, type RunningIssuer } from '../unit/cli/harness.ts';
import { basic, form } from '../unit/issuer/harness.ts';
import { startBalancer } from './balancer.ts';
import { type CallerKey, createCallerKey, SERVICE } from './fleet.ts';
import { startPostgres } from './postgres.ts';
import { createKey, goodClaims } from './tokens.ts';

export interface FleetIssuers {
  readonly url: string;
  /** A new token, bound to the key. */
  token(key: CallerKey): Promise<string>;
  /** Tokens with each of which something else is wrong, for callers that have this key. */
  badTokens(key: CallerKey): Promise<Readonly<Record<string, string>>>;
  kill9(at: number): Promise<void>;
  /** Starts another in the place of one that was killed. */
  replace(at: number): Promise<void>;
  pause(at: number): void;
  resume(at: number): void;
  remove(): Promise<void>;
}

const ADMIN_TOKEN = 'an-admin-token-from-outside';
/** Services ask for the status list as often as they may. */
const FLAGS = ['--status-list-ttl-seconds', '5', '--limit-client', 'off', '--limit-address', 'off'];
/** A real balancer does not wait for a server that has stopped either. */
const ANSWER_TIMEOUT_MS = 2000;

export async function startFleetIssuers(): Promise<FleetIssuers> {
  const [postgres, program, balancer] = await Promise.all([
    startPostgres(),
    buildProgram(),
    startBalancer(ANSWER_TIMEOUT_MS),
  ]);
  const environment = {
    SERVICE_AUTH_ADMIN_TOKEN: ADMIN_TOKEN,
    SERVICE_AUTH_SECRET_KEY: 'a secret key of at least 32 bytes, for tests',
    SERVICE_AUTH_DATABASE_URL: await postgres.createDatabase(),
  };
  const launch = (): Promise<RunningIssuer> =>
    program.startIssuer(['--issuer', balancer.url, ...FLAGS], environment);
  const issuers = [await launch(), await launch()];
  balancer.backends.push(...issuers.map(({ url }) => url));
  const issuerAt = (at: number): RunningIssuer => {
    const issuer = issuers[at];
    if (issuer === undefined) throw new Error(`there is no issuer ${at}`);
    return issuer;
  };
  const { clientId, clientSecret = '' } = await createAdminClient({
    issuer: balancer.url,
    adminToken: ADMIN_TOKEN,
  }).services.create({ name: 'caller', scopes: ['read'], resources: [SERVICE] });
  const registered = { issuer: balancer.url, clientId, clientSecret, resource: SERVICE, scope: 'read' };

  async function token(key?: CallerKey): Promise<string> {
    const dpop = key && { algorithm: 'ES256' as const, keyPair: key.keyPair };
    const client = createTokenClient({ ...registered, ...(dpop && { dpop }) });
    try {
      return (await client.getToken()).accessToken;
    } finally {
      client.close();
    }
  }

  async function revoke(text: string): Promise<string> {
    const headers = { authorization: basic({ clientId, clientSecret }) };
    await fetch(`${balancer.url}/revoke`, { method: 'POST', body: form({ token: text }), headers });
    return text;
  }

  return {
    url: balancer.url,
    token,
    async badTokens(key) {
      const good = await token(key);
      const { alg = '', kid = '' } = decodeProtectedHeader(good);
      const iat = Math.floor(Date.now() / 1000);
      const claims = goodClaims({
        iss: balancer.url,
        aud: SERVICE,
        scope: 'read',
        iat,
        exp: iat + 3600,
        cnf: { jkt: await calculateJwkThumbprint({ ...key.privateJwk, kty: 'EC' }) },
      });
      return {
        revoked: await revoke(good),
        foreign: await (await createKey(alg, kid)).sign({ typ: 'at+jwt' }, claims),
        stolen: await token(await createCallerKey()),
        unbound: await token(),
      };
    },
    async kill9(at) {
      const { child, ended } = issuerAt(at);
      child.kill('SIGKILL');
      await ended;
    },
    async replace(at) {
      issuers[at] = await launch();
      balancer.backends[at] = issuerAt(at).url;
    },
    pause: (at) => void issuerAt(at).child.kill('SIGSTOP'),
    resume: (at) => void issuerAt(at).child.kill('SIGCONT'),
    async remove() {
      program.endAll();
      await balancer.close();
      await Promise.all([postgres.remove(), program.remove()]);
    },
  };
}
