/** A process that takes a lease and never ends it: `<port> <key> <milliseconds>`. */
import { Redis } from 'ioredis';
import { createRedisStores } from '../../adapters/redis.ts';

const [port, key = '', lastsMs] = process.argv.slice(2);
const { tokens } = createRedisStores({ client: new Redis(Number(port)), timeoutMs: 10_000 });
const end = await tokens.lease(key, Number(lastsMs));
console.log(end === undefined ? 'refused' : 'held');
