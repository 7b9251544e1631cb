/** Whether the issuer is found, and is who it is called. */
import { isServiceAuthError } from '../../index.ts';
import { documentHint, endpointHint } from '../../shared/issuer-hints.ts';
import { own } from '../../shared/json.ts';
import { metadataUrls } from '../../shared/metadata.ts';
import { urlDifference, withoutSlash } from '../../shared/url-difference.ts';
import { isOutOfReach } from '../failure.ts';
import type { Finding } from '../finding.ts';
import type { Examination, Findings, FoundIssuer } from './examination.ts';
import { type Answered, getDocument } from './get-document.ts';

export interface Discovery {
  readonly findings: Findings;
  /** Its metadata, also where its name is another one. */
  readonly found: FoundIssuer | undefined;
}

/** Looks at both well-known places (RFC 8414 section 3, OpenID Connect Discovery section 4). */
export async function examineDiscovery({ issuer, timeoutMs }: Examination): Promise<Discovery> {
  const problems: string[] = [];
  let isFar = false;
  for (const url of metadataUrls(issuer)) {
    const answer = await getDocument(url, timeoutMs);
    if (isServiceAuthError(answer)) {
      problems.push(answer.message);
      isFar ||= isOutOfReach(answer);
    } else if (answer.status !== 200 || answer.json === undefined) {
      problems.push(`${url} answered ${answer.status}${answer.status === 200 ? ', but no JSON object' : ''}`);
    } else {
      return found(issuer, url, { ...answer, json: answer.json });
    }
  }
  const status = isFar ? 'undecided' : 'failure';
  const hint = isFar
    ? 'is the issuer running, and may this machine reach it (DNS, firewall, proxy, certificate)?'
    : await hintOfOtherPlaces(issuer, timeoutMs);
  return { findings: [{ check: 'discovery', status, found: problems.join('; '), hint }], found: undefined };
}

function found(issuer: string, url: string, answer: Answered & FoundIssuerAnswer): Discovery {
  const { json: metadata, aheadMs } = answer;
  const findings: Finding[] = [{ check: 'discovery', status: 'ok', found: url }];
  findings.push(judgeName(issuer, own(metadata, 'issuer')), judgeClock(aheadMs));
  findings.push(...judgeEndpoints(issuer, metadata));
  return { findings, found: { metadata } };
}

interface FoundIssuerAnswer {
  readonly json: FoundIssuer['metadata'];
}

function judgeName(issuer: string, named: unknown): Finding {
  const check = 'issuer name';
  if (named === issuer) return { check, status: 'ok', found: issuer };
  if (typeof named !== 'string') return { check, status: 'failure', found: 'the metadata names no issuer' };
  const difference = urlDifference(issuer, named);
  const hint = `configure ${named} as the issuer, where that is right, or correct its own name`;
  return {
    check,
    status: 'failure',
    found: `configured is ${issuer}, but it calls itself ${named}${difference === undefined ? '' : `: ${difference}`}`,
    hint,
    code: 'issuer_mismatch',
  };
}

const FINE_MS = 2000;
/** The tolerance that verifiers have by default. */
const TOLERATED_MS = 5000;

export function judgeClock(aheadMs: number | undefined, whose = 'the issuer'): Finding {
  const check = 'clock';
  if (aheadMs === undefined) {
    return { check, status: 'warning', found: `${whose} sends no Date header to compare with` };
  }
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  if (Math.abs(aheadMs) <= FINE_MS) return { check, status: 'ok', found: `within ${FINE_MS / 1000} seconds` };
  const found = `this machine is ${seconds} seconds ${aheadMs > 0 ? 'behind' : 'ahead of'} ${whose}`;
  const hint = 'let NTP set both clocks; verifiers tolerate 5 seconds by default';
  return { check, status: Math.abs(aheadMs) > TOLERATED_MS ? 'failure' : 'warning', found, hint };
}

function judgeEndpoints(issuer: string, metadata: FoundIssuer['metadata']): Findings {
  const check = 'endpoints';
  const names = ['token_endpoint', 'jwks_uri', 'introspection_endpoint'];
  const missing = names.filter((name) => typeof own(metadata, name) !== 'string');
  const insecure = names.filter((name) => {
    const value = own(metadata, name);
    return issuer.startsWith('https:') && typeof value === 'string' && !value.startsWith('https:');
  });
  if (insecure.length > 0) {
    const found = `${insecure.join(', ')}: http, though the issuer is https`;
    return [{ check, status: 'failure', found, hint: 'a proxy ends TLS: tell the issuer its public name' }];
  }
  if (missing.length === 0) return [{ check, status: 'ok', found: names.join(', ') }];
  const isNeeded = missing.some((name) => name !== 'introspection_endpoint');
  return [{ check, status: isNeeded ? 'failure' : 'warning', found: `without ${missing.join(', ')}` }];
}

/** The issuer may be at home under nearly the same name. */
async function hintOfOtherPlaces(issuer: string, timeoutMs: number): Promise<string> {
  const document = documentHint(issuer);
  if (document !== undefined) return `this is the URL of a document, not the name of an issuer: ${document}`;
  const other = issuer.endsWith('/') ? withoutSlash(issuer) : `${issuer}/`;
  for (const url of [...metadataUrls(other), ...metadataUrls(new URL(issuer).origin)]) {
    const answer = await getDocument(url, timeoutMs);
    const named =
      isServiceAuthError(answer) || answer.json === undefined ? undefined : own(answer.json, 'issuer');
    if (typeof named === 'string') return `there is an issuer at ${url}, which calls itself ${named}`;
  }
  return endpointHint(issuer) ?? 'is this the name of an issuer, with its whole path?';
}
