/**
 * One issuer of the run as the clients of a check see it: over a network of their own, which counts and can fail.
 * The issuer is that of the package; nothing is known of it but its URL.
 */
import { equal } from './expect.mjs';

export function connect(host, name = 'plain') {
  const issuer = host.issuers[name];
  const requests = [];
  let fault;

  async function fetch(input, init) {
    const request = new Request(input, init);
    requests.push(new URL(request.url).pathname);
    return (await fault?.(request)) ?? host.issuerFetch(request);
  }

  async function admin(method, path, body) {
    const response = await host.issuerFetch(
      new Request(`${issuer}/admin/${path}`, {
        method,
        headers: { authorization: `Bearer ${host.adminToken}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    );
    const text = await response.text();
    if (response.status >= 300) throw new Error(`admin API: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  return {
    issuer,
    fetch,
    admin,
    /** How many requests there were for a path. */
    count: (path) => requests.filter((one) => one === path).length,
    /** What answers in the place of the issuer from now on: a function, or nothing. */
    failWith(answer) {
      fault = answer;
    },
    /** Registers a service; gives its id and secret as the options of a client. */
    async register(registration = {}) {
      const { clientId, clientSecret } = await admin('POST', 'services', {
        name: 'A service of the checks',
        scopes: ['orders:read', 'orders:write'],
        resources: ['https://orders.example'],
        ...registration,
      });
      return { issuer, clientId, fetch, ...(clientSecret !== undefined && { clientSecret }) };
    },
  };
}

/** The network is down. */
export function outage() {
  throw new TypeError('the network is down');
}

/** A client whose calls reach a handler in the place of orders.example, and whose token requests the issuer. */
export function reaching(client, handler, more = {}) {
  return {
    ...client,
    targets: [{ origin: 'https://orders.example', scope: 'orders:read', resource: 'https://orders.example' }],
    ...more,
    async fetch(input, init) {
      const request = new Request(input, init);
      return request.url.startsWith('https://orders.example/') ? handler(request) : client.fetch(input, init);
    },
  };
}

/** The status of a call, and what it said. */
export async function answerOf(call) {
  const response = await call;
  return `${response.status} ${await response.text()}`;
}

export function equalCount(network, path, expected) {
  equal(network.count(path), expected, `the number of requests for ${path}`);
}
