import type { Fault } from '../shared/fault.ts';
import { type JsonObject, own } from '../shared/json.ts';

/** Why a token may lack a scope that its issuer means to have granted. */
export function scopeHint({ expected = '', actual = '', about }: Fault): string | undefined {
  const wanted = expected.split(' ').filter((word) => word !== 'or');
  const elsewhere = claimHint(about?.claims ?? {}, wanted);
  if (elsewhere !== undefined) return elsewhere;
  if (actual === 'none') return 'it has no scope at all: did the client ask for one?';
  const granted = actual.split(' ');
  for (const name of wanted) {
    const near = granted.find((scope) => isNear(scope, name));
    if (near !== undefined && near !== name) return `it has ${near}, and scopes are compared to the byte`;
  }
  return undefined;
}

/** Where issuers write permissions, and whose preset reads them there; that of another judges more than scopes otherwise. */
const places: readonly (readonly [claim: string, advice: string])[] = [
  ['scp', "for Okta claims: 'okta', for Entra claims: 'entra'"],
  ['roles', "for Entra claims: 'entra', where there is no scp"],
  ['permissions', "for Auth0 claims: 'auth0', where there is no scope"],
];

function claimHint(claims: JsonObject, names: readonly string[]): string | undefined {
  const wanted: ReadonlySet<unknown> = new Set(names);
  for (const [claim, advice] of places) {
    const value = own(claims, claim);
    const said = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [];
    if (said.some((name) => wanted.has(name))) {
      return `it has it in the claim ${claim}, which a function in claims.scopes may read; ${advice}`;
    }
  }
  return undefined;
}

/** Equal but for case, or for the resource server in front, as Cognito and Entra write it. */
function isNear(scope: string, name: string): boolean {
  return scope.toLowerCase() === name.toLowerCase() || scope.endsWith(`/${name}`);
}
