/** Which endpoint of the issuer a request is for. */

/** The endpoints that faults are scripted for and requests are counted by. */
export const endpoints = ['metadata', 'jwks', 'token', 'introspection', 'revocation', 'statusLists'] as const;
export type TestEndpoint = (typeof endpoints)[number];

/** What is none of them, such as the admin API. */
export type SeenEndpoint = TestEndpoint | 'other';

const paths: readonly (readonly [RegExp, TestEndpoint])[] = [
  [/^\/\.well-known\/|\/\.well-known\/openid-configuration$/, 'metadata'],
  [/\/jwks$/, 'jwks'],
  [/\/token$/, 'token'],
  [/\/introspect$/, 'introspection'],
  [/\/revoke$/, 'revocation'],
  [/\/status-lists\/[^/]+$/, 'statusLists'],
];

export function endpointOf(pathname: string): SeenEndpoint {
  return paths.find(([pattern]) => pattern.test(pathname))?.[1] ?? 'other';
}
