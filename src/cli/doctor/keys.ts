/** Whether the published keys can verify tokens, and say for what they are (RFC 7517). */
import { isServiceAuthError } from '../../index.ts';
import { keyAlgorithms } from '../../shared/crypto.ts';
import { own } from '../../shared/json.ts';
import { isVerificationJwk, parseKeySet } from '../../shared/key-set.ts';
import { isOutOfReach } from '../failure.ts';
import type { Finding } from '../finding.ts';
import type { Examination, Findings, FoundIssuer } from './examination.ts';
import { getDocument } from './get-document.ts';

const check = 'keys';
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

export async function examineKeys({ timeoutMs }: Examination, { metadata }: FoundIssuer): Promise<Findings> {
  const url = own(metadata, 'jwks_uri');
  if (typeof url !== 'string') return [];
  const answer = await getDocument(url, timeoutMs);
  if (isServiceAuthError(answer)) {
    return [{ check, status: isOutOfReach(answer) ? 'undecided' : 'failure', found: answer.message }];
  }
  const { status, json } = answer;
  const keys = json && own(json, 'keys');
  if (status !== 200 || json === undefined || !Array.isArray(keys)) {
    return [{ check, status: 'failure', found: `${url} answered ${status}, and no key set` }];
  }
  const usable = parseKeySet(json, keyAlgorithms).usable;
  const findings = [...keys.flatMap(judgeKey), ...judgeNames(keys)];
  if (usable === 0) {
    return [...findings, { check, status: 'failure', found: 'none of the keys can verify tokens' }];
  }
  const named = keys.map((key) => `${text(key, 'kid')} (${text(key, 'alg')})`).join(', ');
  return [{ check, status: 'ok', found: `${usable} of ${keys.length} can verify: ${named}` }, ...findings];
}

function judgeKey(key: unknown): Findings {
  const name = `key ${text(key, 'kid')}`;
  const say = (status: Finding['status'], problem: string, hint: string): Finding => ({
    check,
    status,
    found: `${name} ${problem}`,
    hint,
  });
  if (typeof key !== 'object' || key === null) {
    return [{ check, status: 'failure', found: 'the key set has a member that is no key' }];
  }
  if (Reflect.get(key, 'kty') === 'oct') {
    return [say('failure', 'is symmetric: whoever reads it can sign', 'take it out, and never use it again')];
  }
  if (secretMembers.some((member) => Object.hasOwn(key, member))) {
    return [say('failure', 'is published with its private half', 'take it out, and never use it again')];
  }
  const isForSignatures = !Object.hasOwn(key, 'use') || Reflect.get(key, 'use') === 'sig';
  if (!isForSignatures) return [];
  if (!isVerificationJwk(key)) {
    return [say('warning', 'cannot verify tokens, and is ignored', 'RSA keys need 2048 bits or more')];
  }
  if (Object.hasOwn(key, 'alg')) return [];
  return [
    say('warning', 'has no alg', 'let the issuer say by alg what each key is for (RFC 8725 section 3.1)'),
  ];
}

/** Verifiers find the key of a token by its `kid`. */
function judgeNames(keys: readonly unknown[]): Findings {
  const names = keys.map((key) => text(key, 'kid'));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return [];
  const found = twice === NONE ? 'several keys have no kid' : `several keys have the kid ${twice}`;
  return [{ check, status: 'warning', found, hint: 'give each key a kid of its own' }];
}

const NONE = 'none';

function text(key: unknown, member: string): string {
  const value = typeof key === 'object' && key !== null ? Reflect.get(key, member) : undefined;
  return typeof value === 'string' ? value : NONE;
}
