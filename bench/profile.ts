/** Where the time goes on the hot paths: a CPU profile of each, and of it the functions that took most themselves. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { basename } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { cached } from './cached.ts';
import { dpop } from './dpop.ts';
import { type Contender, requestsInOneTurn } from './harness.ts';
import { line } from './markdown.ts';
import { outboundFetch } from './outbound.ts';
import { folder } from './results.ts';
import { uncached } from './uncached.ts';

interface Profile {
  readonly path: string;
  readonly lines: readonly { readonly place: string; readonly share: number }[];
}

interface HotPath {
  readonly path: string;
  readonly operations: number;
  readonly rounds: number;
  /** A few in one turn of the loop, as a server has; otherwise all. */
  readonly isInTurns: boolean;
  readonly contender: string;
  readonly create: () => Promise<readonly Contender[]>;
}

interface Work extends Pick<HotPath, 'operations' | 'rounds'> {
  readonly slice: number;
}

export const profilesFile = `${folder}/profiles.json`;
const SHOWN = 12;
const INTERVAL_US = 100;

const hotPaths: readonly HotPath[] = [
  ...(['ES256', 'HS256'] as const).map((algorithm) => ({
    path: `uncached ${algorithm}`,
    operations: 3000,
    rounds: algorithm === 'HS256' ? 20 : 5,
    isInTurns: true,
    contender: 'service-auth',
    create: () => uncached(algorithm, 3000),
  })),
  {
    path: 'cached, 1,000 tokens',
    operations: 100_000,
    rounds: 20,
    isInTurns: false,
    contender: 'service-auth',
    create: () => cached(1000),
  },
  { path: 'dpop', operations: 3000, rounds: 5, isInTurns: true, contender: 'service-auth', create: dpop },
  ...['service-auth, authedFetch', 'service-auth/undici'].map((contender) => ({
    path: `outbound, ${contender}`,
    operations: 10_000,
    rounds: 2,
    isInTurns: false,
    contender,
    create: outboundFetch,
  })),
];

export async function profileHotPaths(): Promise<void> {
  const profiles: Profile[] = [];
  for (const hotPath of hotPaths) profiles.push(await profile(hotPath));
  writeFileSync(profilesFile, `${JSON.stringify(profiles, null, 2)}\n`);
  console.log(renderProfiles());
}

async function profile({
  path,
  contender,
  create,
  operations,
  rounds,
  isInTurns,
}: HotPath): Promise<Profile> {
  const contenders = await create();
  const [floor] = contenders;
  const found = contenders.find(({ name }) => name.startsWith(contender));
  if (floor === undefined || found === undefined) throw new Error(`there is no ${contender}`);
  const slice = isInTurns ? await requestsInOneTurn(floor) : operations;
  const work: Work = { operations, rounds, slice };
  await run(found, work);
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
  const selfTimes = new Map<string, number>();
  for (let round = 0; round < work.rounds; round++) {
    found.prepare?.(work.operations);
    await session.post('Profiler.start');
    await run(found, { ...work, rounds: 1 }, true);
    const { profile: taken } = await session.post('Profiler.stop');
    const places = new Map(taken.nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
    for (const [at, id] of (taken.samples ?? []).entries()) {
      const place = places.get(id) ?? '';
      selfTimes.set(place, (selfTimes.get(place) ?? 0) + (taken.timeDeltas?.[at] ?? 0));
    }
  }
  session.disconnect();
  // Not of the path: waiting, and the profiler's own work.
  for (const other of ['(idle)', '(program)', '(root)', 'dispatch']) selfTimes.delete(other);
  const total = [...selfTimes.values()].reduce((sum, time) => sum + time, 0);
  const lines = [...selfTimes]
    .map(([place, time]) => ({ place, share: Number((time / total).toFixed(4)) }))
    .sort((a, b) => b.share - a.share);
  return { path, lines: lines.slice(0, SHOWN) };
}

async function run(
  contender: Contender,
  { operations, rounds, slice }: Work,
  isPrepared = false,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    if (!isPrepared) contender.prepare?.(operations);
    for (let from = 0; from < operations; from += slice) {
      if (slice < operations) await nextTurn();
      await contender.run(from, Math.min(slice, operations - from));
    }
  }
}

/** Ours by function, of others the file too. */
function placeOf({ functionName, url }: { functionName: string; url: string }): string {
  const name = functionName === '' ? 'a function without a name' : functionName;
  if (url === '') return name;
  return `${name}, ${url.includes('/dist/') && !url.includes('node_modules') ? 'service-auth' : basename(url)}`;
}

export function renderProfiles(): string {
  const profiles: readonly Profile[] = JSON.parse(readFileSync(profilesFile, 'utf8'));
  return profiles
    .map(({ path, lines }) =>
      [
        `**${path}**\n`,
        line(['function', 'share of the time']),
        line(['---', '---:']),
        ...lines.map(({ place, share }) => line([place, `${(share * 100).toFixed(1)} %`])),
        '',
      ].join('\n'),
    )
    .join('\n');
}
