import { expect, it } from 'vitest';
import { postgresStorage } from '../../../../src/issuer/index.ts';

const url = 'postgresql://127.0.0.1/database';

it.each([
  [{}, 'url must be a postgresql: URL'],
  [{ url: 5 }, 'url must be a postgresql: URL'],
  [{ url: 'mysql://user:secret@127.0.0.1/database' }, 'url must be a postgresql: URL'],
  [{ url: 'host=127.0.0.1 password=secret' }, 'url must be a postgresql: URL'],
  [{ url, maxConnections: 0 }, 'maxConnections must be a whole number of connections from 1 to 1000; got 0'],
  [
    { url, maxConnections: 1.5 },
    'maxConnections must be a whole number of connections from 1 to 1000; got 1.5',
  ],
  [{ url, max: 5 }, 'unknown option max in options; did you mean maxConnections?'],
])('%j is refused', async (options, message) => {
  // biome-ignore lint/suspicious/noExplicitAny: what a program without types may pass
  const error = await postgresStorage(options as any).catch((reason) => reason);
  expect(error).toBeInstanceOf(TypeError);
  expect(error.message).toContain(`postgresStorage: ${message} (npx`);
});
