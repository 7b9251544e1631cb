import {
  type AuthedFetch,
  createAuthedFetch,
  isServiceAuthError,
  ServiceAuthError,
  type Target,
} from '../index.ts';
import { networkError } from '../shared/http.ts';
import { readBounded } from '../shared/transport.ts';
import { parseUrl } from '../shared/url.ts';
import {
  audienceFlagHelp,
  clientEnvironmentHelp,
  clientFlags,
  clientFlagsHelp,
  tokenClientOptions,
} from './client-flags.ts';
import { asUsage, defineCommand, type FlagValues } from './command.ts';
import { UsageError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';
import { harmless, type Output } from './output.ts';
import { readSource, readStdin, readTextFile, variable } from './secret-input.ts';

const usage = `Usage: service-auth call [options] <url>

Calls a URL with an access token and prints the body of the answer.

  -X, --request <method>    the method (default GET, with -d POST)
  -H, --header <header>     a header, as 'Name: value'; may be repeated
  -d, --data <text>         the body; @file and @- (standard input) are read; JSON is sent as application/json
  -i, --include             print status and headers, too
      --target <origin>     where the token may go; may be repeated (default SERVICE_AUTH_TARGETS, else the URL's
                            origin)
      --allow-insecure      let it go over plain http to another machine
      --on-behalf-of <from> exchange a token (RFC 8693): - (standard input), @FILE or env:NAME
${clientFlagsHelp}
${audienceFlagHelp}
  --json                    print one JSON document: status, headers and body
  -h, --help                show this

Environment:
${clientEnvironmentHelp}

Examples:
  service-auth call https://orders.example/orders --scope orders:read
  service-auth call -X POST -d '{"item":"tea"}' https://orders.example/orders
  service-auth call --on-behalf-of env:CALLER_TOKEN https://stock.example/items

Exit codes:
  0  the service answered with a status below 400
  1  refused: a status from 400 to 499, no token, or a redirect to elsewhere
  2  called in the wrong way
  3  a status from 500 on, or the issuer or the service is out of reach`;

const flags = {
  ...clientFlags,
  audience: { type: 'string' },
  request: { type: 'string', short: 'X' },
  header: { type: 'string', short: 'H', multiple: true },
  data: { type: 'string', short: 'd' },
  include: { type: 'boolean', short: 'i', default: false },
  target: { type: 'string', multiple: true },
  'allow-insecure': { type: 'boolean', default: false },
  'on-behalf-of': { type: 'string' },
} as const;

/** `service-auth call`: a call with an access token. */
export const callCommand = defineCommand({
  usage,
  flags,
  takes: ['the URL'],
  async run(values, output, [text = '']) {
    const url = readUrl(text);
    const body = await readBody(values.data);
    const subject = values['on-behalf-of'];
    const subjectToken = subject === undefined ? undefined : await readSource('on-behalf-of', subject);
    const headers = readHeaders(values.header ?? [], body);
    const targets = readTargets(values.target, url, values['allow-insecure']);
    const own = await asUsage(async () => createAuthedFetch({ ...(await clientOptions(values)), targets }));
    try {
      const authedFetch =
        subjectToken === undefined ? own : await asUsage(() => own.onBehalfOf(subjectToken));
      const method = values.request ?? (body === undefined ? 'GET' : 'POST');
      const init = { method, headers, ...(body !== undefined && { body }) };
      const response = await send(authedFetch, url, init);
      await print(response, values.include, output);
      return exitCodeOf(response.status);
    } finally {
      own.close();
    }
  },
});

function readUrl(text: string): URL {
  const url = parseUrl(text);
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url;
  throw new UsageError('the URL must be an http or https URL');
}

/** Where `targets` are given the library leaves alone what the environment says of tokens; here that is meant. */
async function clientOptions(values: FlagValues<typeof flags>) {
  const scope = variable('SERVICE_AUTH_SCOPE');
  const resource = variable('SERVICE_AUTH_RESOURCE')?.split(/\s+/);
  const audience = values.audience ?? variable('SERVICE_AUTH_TOKEN_AUDIENCE');
  const { fetch: _, ...given } = await tokenClientOptions(values, audience);
  return { ...(scope !== undefined && { scope }), ...(resource !== undefined && { resource }), ...given };
}

function readTargets(given: readonly string[] | undefined, url: URL, allowInsecure: boolean): Target[] {
  const named = given ?? variable('SERVICE_AUTH_TARGETS')?.split(/\s+/) ?? [url.origin];
  return named.map((origin) => ({ origin, ...(allowInsecure && { allowInsecure }) }));
}

async function readBody(data: string | undefined): Promise<string | undefined> {
  if (data === '@-') return readStdin();
  return data?.startsWith('@') ? readTextFile(data.slice(1), 'the file of --data') : data;
}

function readHeaders(lines: readonly string[], body: string | undefined): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim();
    if (name.toLowerCase() === 'authorization') {
      throw new UsageError('the Authorization header is what this command adds; leave it out');
    }
    try {
      headers.append(name, line.slice(colon + 1).trim());
    } catch {
      // The line is not shown: its value may be a key.
      throw new UsageError("--header must be 'Name: value'");
    }
  }
  if (body !== undefined && !headers.has('content-type')) {
    headers.set('content-type', isJson(body) ? 'application/json' : 'application/x-www-form-urlencoded');
  }
  return headers;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What `fetch` itself does not take, a method for example, is a mistake of the command line. */
async function send(authedFetch: AuthedFetch, url: URL, init: RequestInit): Promise<Response> {
  try {
    new Request(url, init);
  } catch {
    throw new UsageError('no request can be made of this method, URL and body');
  }
  try {
    return await authedFetch(url, init);
  } catch (error) {
    // What is not ours is the transport's: the service could not be reached.
    throw isServiceAuthError(error) ? error : networkError(url.href, error);
  }
}

async function print(response: Response, include: boolean, output: Output): Promise<void> {
  const { status, statusText } = response;
  const headers = [...response.headers];
  if (output.json) {
    const text = await readText(response);
    const isJsonAnswer = /^application\/([\w.+-]+\+)?json\b/i.test(
      response.headers.get('content-type') ?? '',
    );
    const body = isJsonAnswer && isJson(text) ? JSON.parse(text) : text;
    output.result({ status, headers: Object.fromEntries(headers), body }, () => '');
    return;
  }
  if (include) {
    const lines = headers.map(([name, value]) => `${output.style.bold(name)}: ${harmless(value)}`);
    console.log([`HTTP ${status} ${harmless(statusText)}`.trimEnd(), ...lines, ''].join('\n'));
  }
  await printBody(response);
  const challenge = response.headers.get('www-authenticate');
  if (status >= 400) {
    output.note(
      `service-auth call: the service answered ${status}${challenge === null ? '' : `: ${harmless(challenge)}`}`,
    );
  }
}

const LARGEST_DOCUMENT = 64 * 1024 * 1024;

/** One document is printed once it is whole, so it must end. */
async function readText(response: Response): Promise<string> {
  const bytes = await readBounded(response, LARGEST_DOCUMENT);
  if (bytes !== undefined) return new TextDecoder().decode(bytes);
  const text = `the service answered with more than ${LARGEST_DOCUMENT} bytes; call it without --json`;
  throw new ServiceAuthError('response_too_large', text);
}

/** As it comes, byte for byte; but where somebody sees it, without what would steer the terminal. */
async function printBody({ body }: Response): Promise<void> {
  const { stdout } = process;
  const decoder = new TextDecoder();
  const forTerminal = (chunk: Uint8Array): string =>
    decoder.decode(chunk, { stream: true }).replaceAll(/[^\t\r\n]+/g, harmless);
  for await (const chunk of body ?? []) {
    const isRoomLeft = stdout.write(stdout.isTTY ? forTerminal(chunk) : chunk);
    if (!isRoomLeft) await new Promise((resolve) => stdout.once('drain', resolve));
  }
  if (stdout.isTTY) console.log();
}

function exitCodeOf(status: number): number {
  if (status >= 500) return exitCodes.undecided;
  return status >= 400 ? exitCodes.failed : exitCodes.good;
}
