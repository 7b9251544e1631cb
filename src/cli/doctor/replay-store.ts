/** Whether a replay store records a proof once, however many ask at the same time (RFC 9449 section 11.1). */
import { randomBytes } from 'node:crypto';
import type { ReplayStore } from '../../index.ts';
import { errorCode } from '../../shared/http.ts';
import { loadReplayStore } from '../load-replay-store.ts';
import type { Findings } from './examination.ts';

const check = 'replay store';
const AT_ONCE = 50;
const LASTS_MS = 60_000;

export async function examineReplayStore(path: string): Promise<Findings> {
  const { store, close } = await loadReplayStore(path);
  try {
    const [jkt, jti, otherJti] = [random(), random(), random()];
    const expiresAt = Date.now() + LASTS_MS;
    const parallel = Array.from({ length: AT_ONCE }, async () => store.record({ jkt, jti, expiresAt }));
    const answers = await Promise.all(parallel);
    const other = await store.record({ jkt, jti: otherJti, expiresAt });
    return judge(answers, other);
  } catch (error) {
    const found = `it failed (${errorCode(error) ?? (error instanceof Error ? error.name : 'unknown')})`;
    return [{ check, status: 'undecided', found, hint: 'can its database be reached from here?' }];
  } finally {
    await close();
  }
}

type RecordAnswer = Awaited<ReturnType<ReplayStore['record']>>;

function judge(answers: readonly RecordAnswer[], other: RecordAnswer): Findings {
  const count = (word: RecordAnswer): number => answers.filter((answer) => answer === word).length;
  const recorded = count('recorded');
  if (recorded > 1) {
    const found = `it recorded one proof ${recorded} times when ${AT_ONCE} asked at once: it is not atomic`;
    return [
      { check, status: 'failure', found, hint: 'look and write in one step, such as SET with NX in Redis' },
    ];
  }
  if (count('full') > 0 || other === 'full') return [{ check, status: 'failure', found: 'it is full' }];
  if (recorded === 0 || count('replayed') !== AT_ONCE - 1) {
    const found = `of ${AT_ONCE} at once it answered ${recorded} 'recorded' and ${count('replayed')} 'replayed'`;
    return [
      { check, status: 'failure', found, hint: `exactly one must be 'recorded', all others 'replayed'` },
    ];
  }
  if (other !== 'recorded') {
    return [{ check, status: 'failure', found: 'it takes another proof of the same key for a replay' }];
  }
  return [{ check, status: 'ok', found: `of ${AT_ONCE} at once exactly one was recorded` }];
}

function random(): string {
  return randomBytes(16).toString('base64url');
}
