import type { Fault } from '../shared/fault.ts';
import { urlDifference } from '../shared/url-difference.ts';

const API = 'api://';
/** Microsoft Graph, by its id and its URL: what Entra issues tokens for where no API is named. */
const graph: readonly string[] = ['00000003-0000-0000-c000-000000000000', 'https://graph.microsoft.com'];

/** Why a token may be for another audience than this service. */
export function audienceHint({ expected = '', actual = '', about }: Fault): string | undefined {
  if (actual === 'none') {
    return "it names no audience: let the client ask for this resource or audience; for Cognito set claims: 'cognito'";
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
