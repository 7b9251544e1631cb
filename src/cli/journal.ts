/** What a running issuer or gateway says: lines of JSON, or words for people. */
import { createEventLog, type EventListener } from '../issuer/index.ts';
import { logLevels } from '../shared/limited-log.ts';
import { oneOf } from './command.ts';
import { harmless, jsonOnTerminal, jsonText } from './output.ts';

export interface Journal {
  readonly onEvent: EventListener;
  /** Says something once, of which machines read the members and people the text. */
  say(event: string, members: object, text: string): void;
  /** The same for what must not be overlooked. */
  warn(event: string, members: object, text: string): void;
  /** Says where it listens, and from then on whatever happens; until then that is kept. */
  open(members: object, text: string): void;
  /** Says what was kept, where it never came to listen. */
  flush(): void;
}

/** With `json` all goes to standard output; otherwise text goes there, and logs go to standard error. */
export function createJournal(json: boolean, logLevel: string | undefined): Journal {
  let kept: (() => void)[] | undefined = [];
  const now = (work: () => void): void => {
    if (kept === undefined) work();
    else kept.push(work);
  };
  const flush = (): void => {
    for (const work of kept ?? []) work();
    kept = undefined;
  };
  const print = json ? console.log : console.error;
  const level = oneOf('log-level', logLevel, logLevels) ?? 'info';
  const line = (lineLevel: 'info' | 'warn', event: string, members: object): void =>
    console.log(jsonText({ time: new Date().toISOString(), level: lineLevel, event, ...members }));
  return {
    onEvent: createEventLog({ level, write: (text) => now(() => print(jsonOnTerminal(text))) }),
    say: (event, members, text) =>
      now(() => (json ? line('info', event, members) : console.log(harmless(text)))),
    // At once: what comes next may fail because of it.
    warn: (event, members, text) => (json ? now(() => line('warn', event, members)) : console.error(text)),
    open(members, text) {
      if (json) line('info', 'listening', members);
      else console.log(text);
      flush();
    },
    flush,
  };
}
