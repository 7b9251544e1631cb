/**
 * A service that calls another one, as a process: for each line it prints one. All else comes from the environment.
 * `without`: calls without a token; `with`: calls with the token that it keeps; `new`: gets a new one and tells it;
 * `revoke`: takes the token back.
 */
import { createInterface } from 'node:readline';
import { clientSecretPost, createTokenClient } from '../../src/index.ts';

const { TARGET = '', SERVICE_AUTH_ISSUER, SERVICE_AUTH_CLIENT_ID = '', CLIENT_SECRET = '' } = process.env;
const { RESOURCE } = process.env;
const tokens = createTokenClient({
  clientAuth: clientSecretPost(CLIENT_SECRET),
  resource: RESOURCE,
  scope: 'read',
});

async function call(headers: Record<string, string>): Promise<string> {
  const response = await fetch(TARGET, { headers });
  return `${response.status} ${response.headers.get('www-authenticate')?.split(',')[0] ?? (await response.text())}`;
}

async function revoke(token: string): Promise<string> {
  const form = { token, client_id: SERVICE_AUTH_CLIENT_ID, client_secret: CLIENT_SECRET };
  const body = new URLSearchParams(form);
  const { status } = await fetch(`${SERVICE_AUTH_ISSUER}/revoke`, { method: 'POST', body });
  return String(status);
}

const commands: Readonly<Record<string, () => Promise<string>>> = {
  without: () => call({}),
  with: async () => call({ authorization: `Bearer ${(await tokens.getToken()).accessToken}` }),
  new: async () => (await tokens.getToken({ forceRefresh: true })).accessToken,
  revoke: async () => revoke((await tokens.getToken()).accessToken),
};

const lines = createInterface({ input: process.stdin });
console.log('ready');
for await (const line of lines) {
  const answer = await commands[line]?.().catch((error: unknown) => String(error));
  console.log(answer ?? `unknown command ${line}`);
}
