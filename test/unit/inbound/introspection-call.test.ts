import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ActiveToken } from '../../../src/inbound/introspection.ts';
import { type ClientAuth, clientSecretBasic, clientSecretPost } from '../../../src/shared/client-auth.ts';
import type { Fault } from '../../../src/shared/fault.ts';
import {
  createHarness,
  type Harness,
  type IntrospectionRequest,
  type IntrospectionStub,
  says,
  startIntrospectionStub,
} from '../../helpers/introspection-stub.ts';

const active = { active: true, client_id: 'billing' };

let stub: IntrospectionStub;
/** The only secret that the endpoint takes. */
let good: string;
beforeEach(async () => {
  good = 'new';
  stub = await startIntrospectionStub((response, request) => {
    const isGood = secretOf(request) === good;
    says(isGood ? active : { error: 'invalid_client' }, isGood ? 200 : 401)(response, request);
  });
});
afterEach(() => stub.close());

function secretOf({ headers, form }: IntrospectionRequest): string | undefined {
  const [, encoded = ''] = headers.authorization?.split(' ') ?? [];
  return form.get('client_secret') ?? Buffer.from(encoded, 'base64').toString().split(':')[1];
}

let asked = 0;
/** About a new token each time. */
async function ask({ introspector }: Harness): Promise<ActiveToken | Fault> {
  return introspector.introspect(`token-${asked++}`);
}

const sent = (): readonly (string | undefined)[] => stub.requests.map(secretOf);

describe('of several credentials', () => {
  it('the next is tried once where the endpoint refuses one, which is no failure of the endpoint', async () => {
    good = 'old';
    const harness = createHarness(stub.url, { clientAuth: clientSecretBasic(['new', 'old']), retries: 0 });
    expect(await ask(harness)).toHaveProperty('claims', active);
    expect(sent()).toEqual(['new', 'old']);
    expect(harness.events).toMatchObject([{ type: 'introspection.call', attempts: 1 }]);
    expect(harness.introspector.state()).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('the one that was taken last goes first, until it is refused itself', async () => {
    good = 'old';
    const harness = createHarness(stub.url, { clientAuth: clientSecretBasic(['new', 'old']) });
    await ask(harness);
    await ask(harness);
    expect(sent()).toEqual(['new', 'old', 'old']);
    good = 'new';
    await ask(harness);
    await ask(harness);
    expect(sent().slice(3)).toEqual(['old', 'new', 'new']);
  });

  it('no third is tried, and the refusal counts once', async () => {
    good = 'none of these';
    const clientAuth = clientSecretBasic(['first', 'second', 'third']);
    const harness = createHarness(stub.url, { clientAuth, retries: 5 });
    await expect(ask(harness)).rejects.toMatchObject({ reason: 'introspection_unavailable' });
    expect(sent()).toEqual(['first', 'second']);
    expect(harness.events).toMatchObject([{ type: 'introspection.failed', code: 'client_auth_failed' }]);
    expect(harness.introspector.state().failures).toBe(1);
  });

  it('a function that gives a newer secret is asked again', async () => {
    const secret = vi.fn(async () => 'new').mockImplementationOnce(async () => 'old');
    const harness = createHarness(stub.url, { clientAuth: clientSecretBasic(secret) });
    expect(await ask(harness)).toHaveProperty('claims', active);
    expect(sent()).toEqual(['old', 'new']);
  });

  it('400 with invalid_client is a refusal too, for clients that authenticate in the body', async () => {
    good = 'old';
    const { reply } = stub;
    stub.reply = (response, request) =>
      secretOf(request) === good
        ? reply(response, request)
        : says({ error: 'invalid_client' }, 400)(response, request);
    const harness = createHarness(stub.url, { clientAuth: clientSecretPost(['new', 'old']) });
    expect(await ask(harness)).toHaveProperty('claims', active);
    good = 'none of these';
    await expect(ask(harness)).rejects.toMatchObject({
      message: expect.stringMatching(/^client_auth_failed: .*refused this service's own credentials/),
    });
  });
});

describe('a single credential', () => {
  const anonymous: ClientAuth = ({ headers }) => {
    headers.authorization = `Basic ${Buffer.from('orders:only').toString('base64')}`;
  };

  it.each([
    ['a secret', clientSecretBasic('only')],
    ['a list of one', clientSecretBasic(['only'])],
    ['a function that gives the same again', clientSecretBasic(() => 'only')],
    ['a function that does not tell what it used', anonymous],
  ])('%s that is refused is not sent twice', async (_name, clientAuth) => {
    const harness = createHarness(stub.url, { clientAuth, retries: 5 });
    await expect(ask(harness)).rejects.toMatchObject({ reason: 'introspection_unavailable' });
    expect(sent()).toEqual(['only']);
  });
});
