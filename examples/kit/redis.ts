import { execFileSync } from 'node:child_process';
import { freePort } from './free-port.ts';
import type { Stage } from './stage.ts';

const isReady = /port=(\d+)[\s\S]*Ready to accept connections/;

/** The Redis of `REDIS_URL`, else one for this run, which keeps nothing. */
export async function startRedis(stage: Stage): Promise<string> {
  if (process.env.REDIS_URL !== undefined) return process.env.REDIS_URL;
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
  } catch {
    throw new Error('redis-server is needed, or REDIS_URL');
  }
  const flags = { port: String(await freePort()), bind: '127.0.0.1', save: '', appendonly: 'no' };
  const command = ['redis-server', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
  const { url } = await stage.start(command, {}, isReady);
  return `redis://${new URL(url).host}`;
}
