import { describe, expect, it } from 'vitest';
import { type ClientAuth, clientSecretBasic, createVerifier, type Verifier } from '../../src/index.ts';
import { readVectors, type Vector } from '../helpers/vectors.ts';

const issuer = 'https://server.example.com/';
const vectors = readVectors('rfc7662-introspection');
const ofKind = (kind: string): readonly Vector[] => vectors.filter(({ options }) => options.kind === kind);

interface Printed {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

interface Asked {
  readonly verifier: Verifier;
  readonly requests: { readonly url: string; readonly init: RequestInit | undefined }[];
}

function answering(
  answer: unknown,
  more: { clientAuth?: ClientAuth; clock?: unknown; audience?: unknown },
): Asked {
  const requests: Asked['requests'] = [];
  const verifier = createVerifier({
    issuer: {
      issuer,
      introspection: {
        endpoint: 'https://server.example.com/introspect',
        clientId: 's6BhdRkqt3',
        clientAuth: more.clientAuth ?? clientSecretBasic('gX1fBat3bV'),
      },
    },
    audience: typeof more.audience === 'string' ? more.audience : null,
    now: () => Number(more.clock ?? 0) * 1000,
    fetch: async (url, init) => {
      requests.push({ url, init });
      return Response.json(answer);
    },
  });
  return { verifier, requests };
}

describe('RFC 7662 section 2.1: the request', () => {
  const authentication: Record<string, ClientAuth> = {
    'rfc7662-2.1-bearer-auth': ({ headers }) => {
      headers.authorization = 'Bearer 23410913-abewfq.123483';
    },
    'rfc7662-2.1-basic-auth': clientSecretBasic('gX1fBat3bV'),
  };

  it.each(ofKind('request').map((vector) => [vector.id, vector] as const))('%s', async (id, vector) => {
    const printed = vector.request as Printed;
    const clientAuth = authentication[id];
    if (clientAuth === undefined) throw new Error(`no authentication for ${id}`);
    const { verifier, requests } = answering({ active: false }, { clientAuth });
    await verifier.verifyToken(String(vector.token));
    const [sent] = requests;
    expect(sent?.url).toBe(printed.url);
    expect(sent?.init?.method).toBe(printed.method);
    const headers = new Headers(sent?.init?.headers);
    for (const [name, value] of printed.headers) expect(headers.get(name)).toBe(value);
    const form = new URLSearchParams(String(sent?.init?.body));
    for (const [name, value] of new URLSearchParams(printed.body)) expect(form.get(name)).toBe(value);
    // The hint is optional, and always given here.
    expect([...form.keys()]).toEqual(['token', 'token_type_hint']);
  });
});

describe('RFC 7662 section 2.2: the response', () => {
  it.each(ofKind('response').map((vector) => [vector.id, vector] as const))('%s', async (_id, vector) => {
    const { clock, audience } = vector.options;
    const { verifier } = answering(vector.introspection, { clock, audience });
    const outcome = await verifier.verifyToken('2YotnFZFEjr1zCsicMWpAA');
    if (vector.expected !== 'either') expect(outcome.ok ? 'accept' : 'reject').toBe(vector.expected);
    // Where the RFC leaves it open, `exp` is checked again.
    else expect(outcome).toMatchObject({ ok: false, rejection: { status: 401, reason: 'expired' } });
  });

  it('what the example says is what the caller is', async () => {
    const [vector] = ofKind('response');
    const { verifier } = answering(vector?.introspection, {
      clock: vector?.options.clock,
      audience: vector?.options.audience,
    });
    const outcome = await verifier.verifyToken('2YotnFZFEjr1zCsicMWpAA');
    expect(outcome).toMatchObject({
      ok: true,
      caller: {
        issuer,
        subject: 'Z5O3upPC88QrAjx00dis',
        clientId: 'l238j323ds-23ij4',
        kind: 'user',
        audience: ['https://protected.example.net/resource'],
        expiresAt: 1_419_356_238,
        issuedAt: 1_419_350_238,
      },
    });
    expect(outcome.ok && [...outcome.caller.scopes]).toEqual(['read', 'write', 'dolphin']);
  });

  it('an inactive token is an invalid_token at the resource (section 2.2, RFC 6750 section 3.1)', async () => {
    const { verifier } = answering({ active: false }, {});
    const outcome = await verifier.verifyToken('2YotnFZFEjr1zCsicMWpAA');
    expect(outcome).toMatchObject({
      ok: false,
      rejection: { status: 401, error: 'invalid_token', reason: 'inactive_token' },
    });
  });
});
