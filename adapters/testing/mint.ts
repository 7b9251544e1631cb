/** Makes tokens as the issuer makes them, for whoever a test wants, and changes them where the test says so. */
import type { IssuerContext } from '../../src/issuer/context.ts';
import {
  type AccessTokenGrant,
  type Actor,
  type Confirmation,
  type IssuedToken,
  toJwtClaims,
} from '../../src/issuer/tokens/access-token-claims.ts';
import { OptionChecker } from '../../src/shared/options.ts';
import { readScopeNames } from '../../src/shared/scope.ts';
import { type BoundCertificate, readCertificate } from './certificates.ts';
import type { TestClients } from './clients.ts';
import { readJwtClaims, readJwtHeader } from './jwt-parts.ts';
import { createMintedToken, type MintedToken } from './minted-token.ts';
import { createProofKey, type ProofKey } from './proofs.ts';
import { type ForgedToken, forgeToken, type TokenFault, tokenFaultNames } from './token-faults.ts';

/** What a token is to say. Nothing is asked of the issuer's registry: a test may have any token. */
export interface MintOptions {
  /** @default 'test-client' */
  readonly clientId?: string | undefined;
  /** In a list or separated by spaces. @default none */
  readonly scope?: string | readonly string[] | undefined;
  /** @default that of the test issuer */
  readonly audience?: string | readonly string[] | undefined;
  /** Another one than the client makes it a token of a user. @default the client */
  readonly subject?: string | undefined;
  /** Who acts for the subject (RFC 8693 section 4.1): the current actor first. @default nobody */
  readonly actor?: string | readonly string[] | undefined;
  /** @default that of the issuer, 900 */
  readonly expiresInSeconds?: number | undefined;
  /** @default 'jwt' */
  readonly format?: 'jwt' | 'opaque' | undefined;
  /** Binds it to a new key (RFC 9449); `headers` of the token makes the proofs. @default false */
  readonly dpop?: boolean | undefined;
  /**
   * Binds it to a TLS client certificate (RFC 8705), in PEM or DER; `true` for one that is built in. `headers` of the
   * token presents it to verifiers with the options of the test issuer. @default none
   */
  readonly certificate?: true | string | Uint8Array | undefined;
  /** Further claims, or other values for those that it has; `undefined` takes one out. @default none */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** The same for members of the header. @default none */
  readonly header?: Readonly<Record<string, unknown>> | undefined;
  /** Makes it wrong in one way; see `tokenFaults`. @default none */
  readonly fault?: TokenFault | undefined;
}

const names = [
  'clientId',
  'scope',
  'audience',
  'subject',
  'actor',
  'expiresInSeconds',
  'format',
  'dpop',
  'certificate',
  'claims',
  'header',
  'fault',
] as const satisfies readonly (keyof MintOptions)[];
const DAY_SECONDS = 86_400;

export type Mint = (options?: MintOptions) => Promise<MintedToken>;

export function createMint(context: IssuerContext, clients: TestClients, audience: string): Mint {
  const { settings, tokens, keys } = context;
  const { now } = settings;
  const check = new OptionChecker('TestIssuer.mint');

  async function change(issued: IssuedToken, given: MintOptions): Promise<ForgedToken> {
    const { fault } = given;
    const header = readJwtHeader(issued.accessToken);
    const claims = readJwtClaims(issued.accessToken);
    const draft = { header: { ...header, ...given.header }, claims: { ...claims, ...given.claims } };
    const key = await keys.signer(issued.expiresAt - issued.issuedAt);
    return forgeToken(draft, { check, key, nowSeconds: Math.floor(now() / 1000), fault });
  }

  return async (options = {}) => {
    const given = readOptions(check, options);
    const { clientId = 'test-client', format = 'jwt', expiresInSeconds, dpop = false } = given;
    const proofKey = check.boolean('dpop', dpop) ? createProofKey() : undefined;
    const certificate = readCertificate(check, given.certificate);
    const grant: AccessTokenGrant = {
      clientId: check.string('clientId', clientId),
      subject: check.string('subject', given.subject ?? clientId),
      audience: check.strings('audience', given.audience ?? audience),
      scope: given.scope === undefined ? undefined : readScopeNames(check, 'scope', given.scope).join(' '),
      confirmation: confirmationOf(proofKey, certificate),
      actor: given.actor === undefined ? undefined : readActor(check.strings('actor', given.actor)),
    };
    await clients.know(grant.clientId);
    const lifetimeSeconds = expiresInSeconds ?? settings.accessTokenSeconds;
    const issued = await tokens.issue(grant, { format, lifetimeSeconds });
    const { accessToken, claims } = isChanged(given)
      ? await change(issued, given)
      : { accessToken: issued.accessToken, claims: toJwtClaims(settings.issuer, issued) };
    return createMintedToken(check, { accessToken, claims, proofKey, certificate, now });
  };
}

function readOptions(check: OptionChecker, options: MintOptions): MintOptions {
  const given = check.object('options', options, names);
  const { format = 'jwt', fault, expiresInSeconds } = given;
  check.oneOf('format', format, ['jwt', 'opaque']);
  if (fault !== undefined) check.oneOf('fault', fault, tokenFaultNames);
  if (expiresInSeconds !== undefined) {
    check.number('expiresInSeconds', expiresInSeconds, 1, DAY_SECONDS, 'seconds');
  }
  if (format === 'opaque' && isChanged(given)) {
    check.fail(
      'format',
      "'jwt' where fault, claims or header is given, since opaque tokens say nothing",
      format,
    );
  }
  return given;
}

function isChanged({ fault, claims, header }: MintOptions): boolean {
  return fault !== undefined || claims !== undefined || header !== undefined;
}

/** The current actor stands outside, those before it within (RFC 8693 section 4.1). */
function readActor([current = '', ...before]: readonly string[]): Actor {
  return before.length === 0 ? { sub: current } : { sub: current, act: readActor(before) };
}

function confirmationOf(
  key: ProofKey | undefined,
  certificate: BoundCertificate | undefined,
): Confirmation | undefined {
  if (key === undefined && certificate === undefined) return undefined;
  return {
    ...(key !== undefined && { jkt: key.jkt }),
    ...(certificate !== undefined && { 'x5t#S256': certificate.thumbprint }),
  };
}
