/** Whether a service accepts a DPoP-bound call: proxies on the way change the URL that its proof is held against. */
import { createTokenClient, type TokenClient } from '../../index.ts';
import { networkError } from '../../shared/http.ts';
import type { Finding } from '../finding.ts';
import { type Challenge, readChallenge } from './challenge.ts';
import { failureOf } from './credentials.ts';
import { judgeClock } from './discovery.ts';
import type { Examination, Findings } from './examination.ts';
import { aheadOf } from './get-document.ts';

const check = 'round trip';

interface Answer {
  readonly status: number;
  readonly challenge: Challenge | undefined;
  readonly nonce: string | undefined;
  readonly aheadMs: number | undefined;
}

export async function examineRoundTrip(url: URL, examination: Examination): Promise<Findings> {
  const { client, timeoutMs } = examination;
  if (client === undefined) return [{ check, status: 'skipped', found: 'no client in the environment' }];
  const tokens = createTokenClient({ ...client, dpop: true });
  try {
    const { accessToken, authorization, tokenType } = await tokens.getToken();
    const send = (headers: Record<string, string>): Promise<Answer> => request(url, headers, timeoutMs);
    const proving = { tokens, accessToken, authorization, send };
    const open = await send({});
    const answer = await prove(url.href, proving);
    const clock = { ...judgeClock(answer.aheadMs, 'the service'), check: 'service clock' };
    const isRefused = answer.challenge?.error === 'invalid_dpop_proof';
    const seen = isRefused ? await findSeenUrl(url, proving) : undefined;
    const findings = isRefused ? [wrongUrl(url, seen)] : judge(answer, open);
    return tokenType === 'DPoP' ? [clock, ...findings] : [clock, unbound, ...findings];
  } catch (error) {
    return [{ ...failureOf(error), check }];
  } finally {
    tokens.close();
  }
}

const unbound: Finding = {
  check,
  status: 'warning',
  found: 'the issuer does not bind tokens to DPoP keys; a Bearer token was sent',
};

interface Proving {
  readonly tokens: TokenClient;
  readonly accessToken: string;
  readonly authorization: string;
  readonly send: (headers: Record<string, string>) => Promise<Answer>;
}

/** Sends the call with a proof for this URL; once more where the service wants its nonce in it. */
async function prove(href: string, { tokens, accessToken, authorization, send }: Proving): Promise<Answer> {
  const attempt = async (nonce: string | undefined): Promise<Answer> => {
    const dpop = await tokens.dpopProof({ method: 'GET', url: href, accessToken, ...(nonce && { nonce }) });
    return send({ authorization, dpop });
  };
  const answer = await attempt(undefined);
  const wantsNonce = answer.challenge?.error === 'use_dpop_nonce' && answer.nonce !== undefined;
  return wantsNonce ? attempt(answer.nonce) : answer;
}

async function request(url: URL, headers: Record<string, string>, timeoutMs: number): Promise<Answer> {
  const startedMs = Date.now();
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url, { headers, redirect: 'manual', signal });
    await response.body?.cancel();
    return {
      status: response.status,
      challenge: readChallenge(response.headers.get('www-authenticate')),
      nonce: response.headers.get('dpop-nonce') ?? undefined,
      aheadMs: aheadOf(response.headers.get('date'), startedMs, Date.now()),
    };
  } catch (error) {
    throw networkError(url.href, error);
  }
}

/** The URL by which the service judges proofs, among those that a proxy commonly makes of one. */
async function findSeenUrl(url: URL, proving: Proving): Promise<string | undefined> {
  for (const candidate of candidates(url)) {
    const { challenge } = await prove(candidate, proving);
    if (challenge?.error !== 'invalid_dpop_proof') return candidate;
  }
  return undefined;
}

const MOST_SEGMENTS = 3;

/** Proxies end TLS, and take the beginning of a path away. */
function candidates({ protocol, host, pathname }: URL): readonly string[] {
  const other = protocol === 'https:' ? 'http:' : 'https:';
  const segments = pathname.split('/').slice(1);
  const paths = segments.slice(0, MOST_SEGMENTS).map((_, at) => `/${segments.slice(at).join('/')}`);
  const urls = paths.flatMap((path) => [`${protocol}//${host}${path}`, `${other}//${host}${path}`]);
  return urls.slice(1);
}

function wrongUrl(url: URL, seen: string | undefined): Finding {
  const asked = `${url.origin}${url.pathname}`;
  const found =
    seen === undefined
      ? `the service refuses a proof that is made for ${asked}`
      : `the service believes that it is called at ${seen}, not at ${asked}`;
  const hint = `tell the service its public address: publicUrl: '${url.origin}', or publicUrl: { trustProxy: [...] }`;
  return {
    check,
    status: 'failure',
    found,
    hint: seen === undefined ? `${hint}; or its clock is wrong` : hint,
  };
}

function judge({ status, challenge }: Answer, open: Answer): Findings {
  const say = (word: Finding['status'], found: string, hint?: string): Findings => [
    { check, status: word, found, hint },
  ];
  const told = [challenge?.error, challenge?.description].filter((text) => text !== undefined).join(': ');
  if (status >= 500) return say('undecided', `the service answered ${status}`);
  if (open.status < 400) {
    return say(
      'warning',
      `the service answered ${open.status} without a token, too`,
      'is this route protected?',
    );
  }
  if (status < 300) return say('ok', `the service answered ${status}: token and proof were accepted`);
  if (status === 403) {
    return say(
      'warning',
      `the service accepts the proof, but answered 403 ${told}`,
      'ask for its scope: --scope',
    );
  }
  if (status !== 401) {
    return say(
      'warning',
      `the service answered ${status}`,
      'give the URL of a protected route that takes GET',
    );
  }
  if (challenge === undefined) {
    return say(
      'failure',
      'the service answered 401 without a challenge',
      'does a proxy answer in its place?',
    );
  }
  if (challenge.error === undefined) {
    const hint = challenge.takesDpop
      ? 'does a proxy take the Authorization header away?'
      : 'it takes Bearer tokens alone: is DPoP switched off there?';
    return say('failure', 'the service saw no credentials', hint);
  }
  const hint = 'is the token for this service (--resource), and of the issuer that it trusts?';
  return say('failure', `the service answered 401 ${told}`, hint);
}
