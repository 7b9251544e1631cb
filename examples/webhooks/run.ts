/** A shop tells two subscribers of an order; then, what somebody who read the traffic can do with it. */
import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { startIssuer } from '../kit/issuer.ts';
import type { Stage } from '../kit/stage.ts';
import { createReceiver } from './receiver.ts';
import { createSender } from './sender.ts';

interface Subscriber {
  readonly url: string;
  readonly events: unknown[];
  /** The headers of the last request, as somebody would find them in a log. */
  overheard: Record<string, string>;
}

export async function run(stage: Stage): Promise<void> {
  const issuer = await stage.step(
    'an issuer',
    () => startIssuer(stage),
    ({ url }) => url,
  );
  const accounts = await stage.step(
    'a subscriber',
    () => subscribe(stage, issuer.url),
    ({ url }) => url,
  );
  const mail = await stage.step(
    'another',
    () => subscribe(stage, issuer.url),
    ({ url }) => url,
  );
  const subscribers = [accounts.url, mail.url];
  const clientSecret = await issuer.register({
    clientId: 'shop',
    scopes: ['webhooks:deliver'],
    resources: subscribers,
    dpopBound: true,
  });
  const sender = createSender({ issuer: issuer.url, clientId: 'shop', clientSecret, subscribers });
  stage.atEnd(() => sender.close());

  const event = { id: 'event-1', type: 'order.created' };
  await stage.step('an event', async () => outcomes(await sender.send(event), [204, 204]));
  await stage.step('the same once more', async () => {
    const said = outcomes(await sender.send(event), [204, 204]);
    assert.deepEqual([accounts.events.length, mail.events.length], [1, 1]);
    return `${said}, and no second event`;
  });
  const { authorization = '', dpop = '' } = accounts.overheard;
  await stage.step('a request of the sender, sent again by another', () =>
    replay(accounts.url, { authorization, dpop }, 'invalid_dpop_proof'),
  );
  await stage.step('its token without the proof', () =>
    replay(accounts.url, { authorization: authorization.replace('DPoP', 'Bearer') }, ''),
  );
  await stage.step('its token and proof, at the other subscriber', () =>
    replay(mail.url, { authorization, dpop }, 'invalid_token'),
  );
  await stage.step('the issuer is stopped, and there is an event', async () => {
    await issuer.stop();
    return outcomes(await sender.send({ ...event, id: 'event-2' }), [204, 204]);
  });
}

async function subscribe(stage: Stage, issuer: string): Promise<Subscriber> {
  let app: RequestListener | undefined;
  const { url: origin } = await stage.serve((request, response) => {
    const { authorization = '', dpop } = request.headers;
    subscriber.overheard = { authorization, dpop: String(dpop) };
    app?.(request, response);
  });
  const subscriber: Subscriber = { url: `${origin}/hooks`, events: [], overheard: {} };
  app = createReceiver({ issuer, url: subscriber.url, onEvent: (event) => subscriber.events.push(event) });
  return subscriber;
}

function outcomes(deliveries: readonly { outcome: unknown }[], expected: readonly unknown[]): string {
  const found = deliveries.map(({ outcome }) => outcome);
  assert.deepEqual(found, expected);
  return found.join(' and ');
}

/** What somebody else gets for what he has overheard. */
async function replay(url: string, headers: Record<string, string>, error: string): Promise<string> {
  const json = { 'content-type': 'application/json' };
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: '{"id":"forged"}',
  });
  await response.body?.cancel();
  const challenge = response.headers.get('www-authenticate') ?? '';
  assert.equal(response.status, 401);
  assert(challenge.includes(error), challenge);
  return `401 ${/error="\w+"/.exec(challenge)?.[0] ?? challenge}`;
}
