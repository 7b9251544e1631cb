/** The flags of commands that are a client of the issuer, and its options made of them and of the environment. */
import {
  clientSecretBasic,
  clientSecretPost,
  federatedAssertion,
  privateKeyJwt,
  secretFile,
  type TokenClientOptions,
} from '../index.ts';
import { type FlagValues, oneOf } from './command.ts';
import { UsageError } from './errors.ts';
import { readStdin, readTextFile, variable } from './secret-input.ts';

export const clientFlags = {
  issuer: { type: 'string' },
  'client-id': { type: 'string' },
  auth: { type: 'string' },
  'secret-stdin': { type: 'boolean' },
  'private-key': { type: 'string' },
  assertion: { type: 'string' },
  scope: { type: 'string', multiple: true },
  resource: { type: 'string', multiple: true },
  dpop: { type: 'boolean' },
} as const;

export const clientFlagsHelp = `  --issuer <url>            the issuer (default SERVICE_AUTH_ISSUER)
  --client-id <id>          the client (default SERVICE_AUTH_CLIENT_ID)
  --auth <way>              how its secret is sent: basic or post (default basic)
  --secret-stdin            read the client's secret from standard input
  --private-key <file>      authenticate by a private key in PEM, or a JWK, instead of a secret
  --assertion <file>        authenticate by a JWT of another issuer, as Kubernetes writes it
  --scope <scope>           may be repeated (default SERVICE_AUTH_SCOPE)
  --resource <uri>          whom the token is for; may be repeated (default SERVICE_AUTH_RESOURCE)
  --dpop                    bind the token to a key that is made for this one command (RFC 9449)`;

/** What `--audience` of `token` and `call` is; of `doctor` that is the audience which tokens are held to. */
export const audienceFlagHelp = `  --audience <name>         the audience parameter of Auth0 and Hydra (default SERVICE_AUTH_TOKEN_AUDIENCE)`;

export const clientEnvironmentHelp = `  SERVICE_AUTH_CLIENT_SECRET       the client's secret, or
  SERVICE_AUTH_CLIENT_SECRET_FILE  the file that holds it; secrets are never taken from flags`;

export type ClientFlagValues = FlagValues<typeof clientFlags>;

/** The options of a token client that asks for this audience; what is not said here comes from the environment. */
export async function tokenClientOptions(
  values: ClientFlagValues,
  audience: string | undefined,
): Promise<TokenClientOptions> {
  const { issuer, scope, resource, dpop = false } = values;
  const clientId = values['client-id'];
  return {
    ...(issuer !== undefined && { issuer }),
    ...(clientId !== undefined && { clientId }),
    ...(scope !== undefined && { scope: scope.join(' ') }),
    ...(resource !== undefined && { resource }),
    ...(audience !== undefined && { audience }),
    ...(dpop && { dpop }),
    ...(await clientAuthOption(values)),
  };
}

async function clientAuthOption(
  values: ClientFlagValues,
): Promise<Pick<TokenClientOptions, 'clientAuth' | 'clientSecret'>> {
  const { assertion } = values;
  const keyPath = values['private-key'];
  const ways = [assertion, keyPath, values['secret-stdin']].filter((way) => way !== undefined);
  if (ways.length > 1) throw new UsageError('give one of --private-key, --assertion and --secret-stdin');
  if (assertion !== undefined) return { clientAuth: federatedAssertion({ file: assertion }) };
  if (keyPath !== undefined) return { clientAuth: privateKeyJwt({ key: await readPrivateKey(keyPath) }) };
  const clientSecret = await readSecret(values);
  const auth = oneOf('auth', values.auth, ['basic', 'post']) ?? 'basic';
  if (clientSecret === undefined) {
    if (auth === 'post') throw new UsageError('--auth post needs SERVICE_AUTH_CLIENT_SECRET');
    return {};
  }
  return { clientAuth: auth === 'post' ? clientSecretPost(clientSecret) : clientSecretBasic(clientSecret) };
}

/** `undefined` where the environment names no secret: what is missing is then said by who needs it. */
async function readSecret(values: ClientFlagValues): Promise<string | (() => string) | undefined> {
  if (values['secret-stdin'] === true) {
    const secret = (await readStdin()).trim();
    if (secret === '') throw new UsageError('standard input holds no secret');
    return secret;
  }
  const owner = variable('SERVICE_AUTH_CLIENT_ID');
  const asked = values['client-id'];
  if (asked !== undefined && owner !== undefined && asked !== owner) {
    // The environment's secret is that of the environment's client: no other may send it.
    throw new UsageError(
      `the environment holds the secret of ${owner}, not of ${asked}; give --secret-stdin, or set SERVICE_AUTH_CLIENT_ID too`,
    );
  }
  const path = variable('SERVICE_AUTH_CLIENT_SECRET_FILE');
  return variable('SERVICE_AUTH_CLIENT_SECRET') ?? (path === undefined ? undefined : secretFile(path));
}

async function readPrivateKey(path: string): Promise<string | Record<string, unknown>> {
  const text = (await readTextFile(path, 'the private key')).trim();
  if (!text.startsWith('{')) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`the private key is neither PEM nor a JWK: ${path}`);
  }
}
