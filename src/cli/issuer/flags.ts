/** The flags of `service-auth issuer`, and the options of an issuer that they stand for. */
import { type LimitOptions, type ServeIssuerOptions, signingAlgorithms } from '../../issuer/index.ts';
import { type FlagValues, oneOf, quoted, wholeNumber } from '../command.ts';
import { UsageError } from '../errors.ts';
import { readTextFile } from '../secret-input.ts';

export const issuerFlags = {
  data: { type: 'string' },
  'database-url': { type: 'string' },
  memory: { type: 'boolean', default: false },
  seed: { type: 'string' },
  'seed-secrets': { type: 'string' },
  port: { type: 'string' },
  host: { type: 'string' },
  issuer: { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-ca': { type: 'string' },
  'drain-seconds': { type: 'string' },
  'trust-proxy': { type: 'string', multiple: true },
  resource: { type: 'string', multiple: true },
  'access-token-seconds': { type: 'string' },
  'signing-algorithm': { type: 'string' },
  'key-publish-ahead-seconds': { type: 'string' },
  'key-rotation-seconds': { type: 'string' },
  'dpop-nonce': { type: 'boolean' },
  'no-status-lists': { type: 'boolean', default: false },
  'status-list-ttl-seconds': { type: 'string' },
  'limit-client': { type: 'string' },
  'limit-address': { type: 'string' },
  'log-level': { type: 'string' },
} as const;

export type IssuerFlagValues = FlagValues<typeof issuerFlags>;

/** Options from flags; those whose flag was not given are undefined, as if they were not there. */
export async function issuerOptionsOf(values: IssuerFlagValues): Promise<ServeIssuerOptions> {
  const rotation = values['key-rotation-seconds'];
  return {
    port: wholeNumber('port', values.port),
    host: values.host,
    issuer: values.issuer,
    tls: await readTls(values),
    drainMs: milliseconds(wholeNumber('drain-seconds', values['drain-seconds'])),
    trustProxy: values['trust-proxy'],
    resources: values.resource,
    accessTokenSeconds: wholeNumber('access-token-seconds', values['access-token-seconds']),
    signingAlgorithm: oneOf('signing-algorithm', values['signing-algorithm'], signingAlgorithms),
    keyPublishAheadSeconds: wholeNumber('key-publish-ahead-seconds', values['key-publish-ahead-seconds']),
    keyRotationSeconds: rotation === 'off' ? false : wholeNumber('key-rotation-seconds', rotation),
    dpopNonce: values['dpop-nonce'],
    statusLists: values['no-status-lists'] ? false : undefined,
    statusListTtlSeconds: wholeNumber('status-list-ttl-seconds', values['status-list-ttl-seconds']),
    limits: {
      client: limit('limit-client', values['limit-client']),
      address: limit('limit-address', values['limit-address']),
    },
  };
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

/** So many requests in so many seconds. */
function limit(flag: string, text: string | undefined): LimitOptions | false | undefined {
  if (text === undefined) return undefined;
  if (text === 'off') return false;
  const [, requests, windowSeconds] = /^(\d{1,9})\/(\d{1,5})$/.exec(text) ?? [];
  if (requests !== undefined && windowSeconds !== undefined) {
    return { requests: Number(requests), windowSeconds: Number(windowSeconds) };
  }
  throw new UsageError(`--${flag} must be off, or requests and seconds such as 100/60; got ${quoted(text)}`);
}

async function readTls(values: IssuerFlagValues): Promise<ServeIssuerOptions['tls']> {
  const { 'tls-key': key, 'tls-cert': cert, 'tls-ca': ca } = values;
  if (key === undefined && cert === undefined && ca === undefined) return undefined;
  if (key === undefined || cert === undefined) {
    throw new UsageError('--tls-key and --tls-cert must be given together, and with --tls-ca');
  }
  return {
    key: await readTextFile(key, 'the file of --tls-key'),
    cert: await readTextFile(cert, 'the file of --tls-cert'),
    ...(ca !== undefined && { ca: await readTextFile(ca, 'the file of --tls-ca') }),
  };
}
