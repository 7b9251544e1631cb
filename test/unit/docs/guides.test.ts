/** The guides and the code agree: a token as a guide shows it passes the verifier as it configures it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type ClaimsPreset, createVerifier, type Fetch } from '../../../src/index.ts';
import { createKey, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const folder = fileURLToPath(new URL('../../../docs/guides', import.meta.url));
const key = await createKey('RS256');

interface Sample {
  readonly iss: string;
  readonly aud?: string | readonly string[];
}

/** What a guide says of its issuer. */
function readGuide(file: string): { text: string; sample: Sample; preset: ClaimsPreset | undefined } {
  const text = readFileSync(join(folder, file), 'utf8');
  const [, json = ''] = /^```json\n([\s\S]*?)^```/m.exec(text) ?? [];
  const [, preset] = /claims: '(\w+)'/.exec(text) ?? [];
  return { text, sample: JSON.parse(json), preset: preset as ClaimsPreset | undefined };
}

/** By issuer: what the guide's route asks for, and who the caller is. */
const expected: Readonly<Record<string, { clientId: string; scope: string; audience: string }>> = {
  'auth0.md': {
    clientId: 'xYz0123456789AbCdEfGhIjKlMnOpQrS',
    scope: 'orders:read',
    audience: 'https://orders.example',
  },
  'cognito.md': {
    clientId: '1example23456789',
    scope: 'https://orders.example/read',
    audience: 'https://orders.example',
  },
  'entra.md': {
    clientId: '535fb089-9ff3-47b6-9bfb-4f1264799865',
    scope: 'Orders.Read.All',
    audience: '6731de76-14a6-49ae-97bc-6eba6914391e',
  },
  'hydra.md': {
    clientId: '7d0b1a5c-9a3f-4d0e-8f50-2f4a6f0c9d11',
    scope: 'orders:read',
    audience: 'https://orders.example',
  },
  'keycloak.md': { clientId: 'billing', scope: 'orders:read', audience: 'https://orders.example' },
  'oidc-provider.md': { clientId: 'billing', scope: 'orders:read', audience: 'https://orders.example' },
  'okta.md': { clientId: '0oa1gubmk9f4C5fX90h8', scope: 'orders:read', audience: 'api://default' },
};

async function judge(file: string, claims: ClaimsPreset | undefined) {
  const { sample } = readGuide(file);
  const { scope = '', audience = '' } = expected[file] ?? {};
  const verifier = createVerifier({
    issuer: { issuer: sample.iss, jwks: { keys: [key.publicJwk] }, ...(claims && { claims }) },
    audience,
    now: () => nowMs,
  });
  const token = await key.sign({ typ: 'JWT' }, { ...sample, iat: nowSeconds, exp: nowSeconds + 300 });
  const outcome = await verifier.verifyToken(token, { policy: { scope, serviceOnly: true } });
  return outcome.ok ? outcome.caller : outcome.rejection.reason;
}

it('every guide is judged here', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(expected).sort());
});

describe.each(Object.keys(expected))('%s', (file) => {
  const { text, preset } = readGuide(file);

  it('shows a token of a service that its verifier lets in', async () => {
    expect(await judge(file, preset)).toMatchObject({ clientId: expected[file]?.clientId, kind: 'service' });
  });

  it('names issuer and audience as its token has them', () => {
    const { sample } = readGuide(file);
    expect([`issuer: '${sample.iss}'`, `ISSUER=${sample.iss}\n`].some((way) => text.includes(way))).toBe(
      true,
    );
    expect(text).toContain(expected[file]?.audience);
  });
});

it.each([
  ['auth0.md', 'service_only'],
  ['cognito.md', 'wrong_audience'],
  ['entra.md', 'service_only'],
  ['keycloak.md', 'service_only'],
])('%s: without the preset it is %s, as the guide says', async (file, reason) => {
  expect(await judge(file, undefined)).toBe(reason);
  expect(readGuide(file).text).toContain(`](../reasons.md#${reason})`);
});

it('hydra.md: a client authentication that does nothing sends the token alone', async () => {
  const bodies: string[] = [];
  const fetch: Fetch = async (url, init) => {
    const { headers, method } = new Request(url, init as RequestInit);
    bodies.push(`${method} ${headers.get('authorization')} ${init?.body}`);
    const { sample } = readGuide('hydra.md');
    return Response.json({ ...sample, active: true, scope: 'orders:read', token_type: 'Bearer' });
  };
  const endpoint = 'https://hydra-admin.internal/admin/oauth2/introspect';
  const verifier = createVerifier({
    issuer: {
      issuer: 'https://hydra.example',
      introspection: { endpoint, clientId: 'orders', clientAuth: () => undefined },
    },
    audience: 'https://orders.example',
    fetch,
  });
  const outcome = await verifier.verifyToken('ory_at_opaque', { policy: { scope: 'orders:read' } });
  expect(outcome.ok).toBe(true);
  expect(bodies).toEqual(['POST null token=ory_at_opaque&token_type_hint=access_token']);
});
