/** Callers of a fleet: each proof goes to one instance and again to another, some of them at the very same moment. */
import { Pool } from 'undici';
import { type LoadReport, noCounts } from './fleet-counts.ts';
import type { Prover } from './fleet-proofs.ts';

export interface LoadOptions {
  /** Begins the names of its proofs, so that no other load has the same ones. */
  readonly name: string;
  readonly ports: readonly number[];
  readonly prover: Prover;
  /** How many proofs are under way at once. */
  readonly atOnce: number;
  /** An answer that takes longer is none. */
  readonly answerTimeoutMs: number;
  /** The load ends by itself after so many proofs; else when it is told. */
  readonly proofs: number;
}

export interface Load {
  useToken(token: string): void;
  /** Tokens that no service must let through, and what is wrong with them, sent along with proofs that hold. */
  useBadTokens(tokens: Readonly<Record<string, string>>): void;
  report(): LoadReport;
  /** Resolves once every proof has been sent twice. */
  run(): Promise<LoadReport>;
  stop(): void;
}

interface Answer {
  /** `undefined`: there was none. */
  readonly status: number | undefined;
  readonly reason: string;
}

interface Sending {
  readonly path: string;
  readonly headers: Record<string, string>;
}

interface LateReplay {
  readonly sending: Sending;
  readonly there: number;
  readonly first: Answer;
}

const PATH = '/orders';
/** Replays that come later come after so many other proofs. */
const LATER = 300;
/** One of so many proofs is followed by a request that is bad. */
const BAD_EVERY = 8;

export function createLoad(options: LoadOptions): Load {
  const { name, ports, prover, atOnce, answerTimeoutMs, proofs } = options;
  const pools = ports.map(
    (port) =>
      new Pool(`http://127.0.0.1:${port}`, {
        connections: atOnce,
        headersTimeout: answerTimeoutMs,
        bodyTimeout: answerTimeoutMs,
      }),
  );
  const counts = noCounts();
  const reasons: Record<string, number> = {};
  const acceptedBy = ports.map(() => 0);
  const late: LateReplay[] = [];
  let token = '';
  let badTokens: readonly (readonly [kind: string, token: string])[] = [];
  let isStopped = false;

  async function send(at: number, { path, headers }: Sending): Promise<Answer> {
    try {
      const answer = await pools[at]?.request({ path, method: 'GET', headers });
      await answer?.body.dump();
      return { status: answer?.statusCode, reason: `${answer?.headers['x-reason']}` };
    } catch {
      return { status: undefined, reason: 'unanswered' };
    }
  }

  /** Counts what stands for itself, whatever was sent. */
  function note({ status }: Answer): void {
    if (status === undefined) counts.unanswered++;
    else if (status === 503) counts.undecided++;
    else if (![200, 401, 403].includes(status)) counts.odd++;
  }

  async function sendGood(at: number, sending: Sending): Promise<Answer> {
    const answer = await send(at, sending);
    note(answer);
    if (answer.status === 200) acceptedBy[at] = (acceptedBy[at] ?? 0) + 1;
    if (isRefusal(answer)) reasons[answer.reason] = (reasons[answer.reason] ?? 0) + 1;
    return answer;
  }

  function conclude(first: Answer, second: Answer): void {
    const both = [first, second].filter(({ status }) => status === 200).length;
    if (both > 0) counts.accepted++;
    if (both > 1) counts.acceptedTwice++;
    if (isRefusal(second)) counts.replaysRefused++;
    if (isRefusal(first)) counts.goodRefused++;
  }

  async function replay({ sending, there, first }: LateReplay): Promise<void> {
    conclude(first, await sendGood(there, sending));
  }

  async function useTwice(turn: number): Promise<void> {
    const count = ports.length;
    const here = turn % count;
    const way = Math.floor(turn / count) % 4;
    const there = (here + 1 + (Math.floor(turn / count / 4) % (count - 1))) % count;
    const sending = sendingOf(`${name}-${turn}`, token);
    if (way === 0) {
      counts.together++;
      const [a, b] = await Promise.all([sendGood(here, sending), sendGood(there, sending)]);
      // Which of them is the replay is for the fleet to say.
      if (isRefusal(a)) conclude(b, a);
      else conclude(a, b);
      return;
    }
    const first = await sendGood(here, sending);
    if (way === 1) return replay({ sending, there, first });
    late.push({ sending, there, first });
    const due = late.length > LATER ? late.shift() : undefined;
    if (due !== undefined) await replay(due);
  }

  function sendingOf(jti: string, bearer: string): Sending {
    const headers = { authorization: `DPoP ${bearer}`, dpop: prover.prove(jti, bearer) };
    return { path: `${PATH}?${jti}`, headers };
  }

  async function sendBad(turn: number): Promise<void> {
    const [kind, bad] = badTokens[Math.floor(turn / BAD_EVERY) % badTokens.length] ?? [];
    if (bad === undefined) return;
    counts.bad++;
    const jti = `bad-${kind}-${name}-${turn}`;
    const answer = await send(turn % ports.length, sendingOf(jti, bad));
    note(answer);
    if (answer.status === 200) counts.badAccepted++;
  }

  async function goOn(): Promise<void> {
    while (!isStopped && counts.proofs < proofs) {
      const turn = counts.proofs++;
      await useTwice(turn);
      if (turn % BAD_EVERY === 0) await sendBad(turn);
    }
  }

  const report = (): LoadReport => ({ counts, reasons, acceptedBy });

  return {
    useToken(next) {
      token = next;
    },
    useBadTokens(tokens) {
      badTokens = Object.entries(tokens);
    },
    report,
    async run() {
      await Promise.all(Array.from({ length: atOnce }, goOn));
      for (let next = late.shift(); next !== undefined; next = late.shift()) await replay(next);
      await Promise.all(pools.map((pool) => pool.destroy()));
      return report();
    },
    stop() {
      isStopped = true;
    },
  };
}

function isRefusal({ status }: Answer): boolean {
  return status === 401 || status === 403;
}
