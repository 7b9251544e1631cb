/** A master with replicas, watched by sentinels that put a replica in its place when it is gone. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';
import { type PrivateRedis, startRedis, until } from './redis.ts';
import { MASTER_NAME } from './redis-clients.ts';
