/** Revocation for tests, which need no credentials for it. */
import { optionError } from '../../src/index.ts';
import type { IssuerContext } from '../../src/issuer/context.ts';
import { AFTERLIFE_MS } from '../../src/issuer/tokens/afterlife.ts';
import type { MintedToken } from './minted-token.ts';

/** A token, or a service and all its tokens. */
export type RevocationTarget = string | MintedToken | { readonly clientId: string };

/** `settle` registers what was noted: a service may be revoked before it was ever heard of. */
export function createRevocation(
  { settings, tokens }: IssuerContext,
  settle: () => Promise<void>,
): (what: RevocationTarget) => Promise<void> {
  const { storage, now } = settings;

  async function revokeToken(accessToken: string): Promise<void> {
    const claims = await tokens.read(accessToken);
    if (claims === undefined) {
      throw optionError(
        'call_invalid',
        'TestIssuer.revoke: this is no live token of the issuer, so there is nothing to revoke',
      );
    }
    const { tokenId, clientId, expiresAt, status } = claims;
    await storage.revokeToken({ tokenId, clientId, expiresAtMs: expiresAt * 1000 + AFTERLIFE_MS, status });
  }

  async function revokeService(clientId: string): Promise<void> {
    await settle();
    const atMs = now();
    const audit = { atMs, actor: 'test', action: 'service.revoked', target: clientId };
    const isKnown = await storage.revokeService(clientId, atMs, {
      ...audit,
      before: undefined,
      after: undefined,
    });
    if (!isKnown)
      throw optionError('call_invalid', `TestIssuer.revoke: no service ${clientId} is registered`);
  }

  return async (what) => {
    if (typeof what === 'string') return revokeToken(what);
    return 'accessToken' in what ? revokeToken(what.accessToken) : revokeService(what.clientId);
  };
}
