/** A token for tests, and the headers that present it. */
import { optionError } from '../../src/index.ts';
import type { OptionChecker } from '../../src/shared/options.ts';
import { type BoundCertificate, certificateHeader, strangersCertificate } from './certificates.ts';
import { type ProofFault, type ProofKey, proofFaults } from './proofs.ts';

/**
 * What may be wrong with how a token is presented. `missing`: without its proof or certificate. `as_bearer`: as if it
 * were not bound. `wrong_certificate`: with that of somebody else. All others are faults of the DPoP proof.
 */
export type PresentationFault = ProofFault | 'missing' | 'as_bearer' | 'wrong_certificate';

/** The request that a token is for. */
export interface TokenUse {
  /** @default 'GET' */
  readonly method?: string | undefined;
  /** A path is one of `http://localhost`, as with Fastify's inject and Hono's request. */
  readonly url?: string | URL | undefined;
  /** The DPoP nonce that the service asked for. @default none */
  readonly nonce?: string | undefined;
  /** @default none */
  readonly fault?: PresentationFault | undefined;
}

/** What is needed of a request of supertest, or superagent. */
export interface SuperagentRequest {
  readonly method: string;
  /** Complete only when the request is sent: before, supertest does not know the port. */
  readonly url: string;
  readonly req: { setHeader(name: string, value: string): unknown };
  once(event: 'request', listener: () => void): unknown;
}

/** Presents a token with a request of supertest. */
export type SuperagentPlugin = (request: SuperagentRequest) => void;

/** A token that was made for a test. */
export interface MintedToken {
  /** Is not enumerable, so that printing a token does not show it. */
  readonly accessToken: string;
  readonly scheme: 'Bearer' | 'DPoP';
  /** What it says; of an opaque token, what introspection says. */
  readonly claims: Readonly<Record<string, unknown>>;
  /**
   * The headers that present it, with a new proof where it is bound to a key: that takes the URL, and the method where
   * it is not GET.
   *
   * @throws TypeError without a URL where a proof is needed.
   */
  headers(use?: TokenUse): Record<string, string>;
  /** The same for supertest, as in `request(app).get('/orders').use(token.forSupertest())`. */
  forSupertest(use?: Pick<TokenUse, 'nonce' | 'fault'>): SuperagentPlugin;
  /** A web request that presents it. Headers of `init` go before those of the token. */
  request(url: string | URL, init?: RequestInit, use?: Pick<TokenUse, 'nonce' | 'fault'>): Request;
}

export interface TokenParts {
  readonly accessToken: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly proofKey: ProofKey | undefined;
  readonly certificate: BoundCertificate | undefined;
  readonly now: () => number;
}

const BASE = 'http://localhost';
const faults: readonly PresentationFault[] = ['missing', 'as_bearer', 'wrong_certificate', ...proofFaults];

export function createMintedToken(check: OptionChecker, parts: TokenParts): MintedToken {
  const { accessToken, claims, proofKey, certificate } = parts;
  const scheme = proofKey === undefined ? 'Bearer' : 'DPoP';

  function headers(use: TokenUse = {}): Record<string, string> {
    const { fault } = use;
    if (fault !== undefined) checkFault(check, fault, parts);
    const authorization = `${fault === 'as_bearer' ? 'Bearer' : scheme} ${accessToken}`;
    if (fault === 'missing' || fault === 'as_bearer') return { authorization };
    return { authorization, ...proofOf(use), ...certificateOf(fault) };
  }

  function proofOf({ method = 'GET', url, nonce, fault }: TokenUse): { dpop: string } | undefined {
    if (proofKey === undefined) return undefined;
    if (url === undefined) {
      throw optionError(
        'call_invalid',
        'MintedToken.headers: the token is bound to a key, so its proof needs the request: headers({ method, url })',
      );
    }
    const proofFault = proofFaults.find((name) => name === fault);
    const { href } = new URL(url, BASE);
    const nowMs = parts.now();
    return {
      dpop: proofKey.prove({
        method: method.toUpperCase(),
        url: href,
        accessToken,
        nonce,
        nowMs,
        fault: proofFault,
      }),
    };
  }

  function certificateOf(fault: PresentationFault | undefined): Record<string, string> | undefined {
    if (certificate === undefined) return undefined;
    const value = fault === 'wrong_certificate' ? strangersCertificate() : certificate.headerValue;
    return { [certificateHeader]: value };
  }

  const token = {
    scheme,
    claims,
    headers,
    forSupertest: (use?: Pick<TokenUse, 'nonce' | 'fault'>) => (call: SuperagentRequest) => {
      call.once('request', () => {
        const { method, url, req } = call;
        for (const [name, value] of Object.entries(headers({ ...use, method, url })))
          req.setHeader(name, value);
      });
    },
    request(url: string | URL, init: RequestInit = {}, use: Pick<TokenUse, 'nonce' | 'fault'> = {}) {
      const request = new Request(new URL(url, BASE), init);
      const own = new Headers(init.headers);
      const { method, url: href } = request;
      for (const [name, value] of Object.entries(headers({ ...use, method, url: href }))) {
        if (!own.has(name)) request.headers.set(name, value);
      }
      return request;
    },
  } as const;
  return Object.freeze(
    Object.defineProperty({ ...token, accessToken }, 'accessToken', { enumerable: false }),
  );
}

/** A fault that changes nothing would let a test pass for the wrong reason. */
function checkFault(
  check: OptionChecker,
  fault: PresentationFault,
  { proofKey, certificate }: TokenParts,
): void {
  check.oneOf('fault', fault, faults);
  const isBound = proofKey !== undefined || certificate !== undefined;
  if (fault === 'missing' && !isBound) check.fail('fault', 'of a token that is bound to something', fault);
  if (fault === 'wrong_certificate' && certificate === undefined) {
    check.fail('fault', 'of a token that is bound to a certificate', fault);
  }
  const needsKey = fault !== 'missing' && fault !== 'wrong_certificate';
  if (needsKey && proofKey === undefined) check.fail('fault', 'of a token that is bound to a key', fault);
}
