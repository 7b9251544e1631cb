import type { Fault } from '../shared/fault.ts';
import { urlDifference } from '../shared/url-difference.ts';

const API = 'api://';
/** The preset for it takes scopes for audiences, which no clients of another issuer may be free to choose. */
const COGNITO = 'https://cognito-idp.';
/** Microsoft Graph, by its id and its URL: what Entra issues tokens for where no API is named. */
const graph: readonly string[] = ['00000003-0000-0000-c000-000000000000', 'https://graph.microsoft.com'];

/** Why a token may be for another audience than this service. */
export function audienceHint({ expected = '', actual = '', about }: Fault): string | undefined {
  if (actual === 'none') {
    const isCognito = about?.issuer.startsWith(COGNITO) === true;
    return `it names no audience: ${isCognito ? "set claims: 'cognito'" : 'let the client ask for this resource or audience'}`;
  }
  const wanted = expected.split(' or ');
  const named = actual.split(' ');
  for (const name of named) {
    for (const one of wanted) {
      const difference = urlDifference(one, name);
      if (difference !== undefined) return difference;
      if (withoutApi(one) === withoutApi(name)) {
        return 'they differ by api:// alone, which Entra writes in tokens of version 1 and not of version 2: accept both';
      }
    }
  }
  if (named.some((name) => graph.includes(name))) {
    return 'it is for Microsoft Graph: let the client ask for the scope <application id of this API>/.default';
  }
  if (about?.clientId !== undefined && named.includes(about.clientId)) {
    return 'it is for the client itself, as ID tokens are: send access_token of the token response';
  }
  if (named.includes('account')) return 'Keycloak names account by default: add an audience mapper';
  if (named.some((name) => name.endsWith('/userinfo'))) {
    return "it is for the issuer's own userinfo: let the client ask for this service's audience";
  }
  return undefined;
}

function withoutApi(name: string): string {
  return name.startsWith(API) ? name.slice(API.length) : name;
}
