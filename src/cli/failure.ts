import { isServiceAuthError } from '../index.ts';
import { errorCode } from '../shared/http.ts';
import { UsageError } from './errors.ts';
import { exitCodes } from './exit-codes.ts';
import { harmlessLine, jsonText } from './output.ts';

/** Says what went wrong, without a stack trace, and gives the exit code. With `--json` the result says so, too. */
export function reportFailure(command: string | undefined, error: unknown, args: readonly string[]): number {
  const exitCode = exitCodeOf(error);
  const message = harmlessLine(messageOf(error));
  console.error(`${nameOf(command)}: ${message}`);
  if (error instanceof UsageError) {
    console.error(`Run ${nameOf(error.command ?? command)} --help for its options.`);
  }
  if (args.includes('--json')) {
    const code = isServiceAuthError(error) ? error.code : undefined;
    const oauthError = isServiceAuthError(error) ? error.oauthError : undefined;
    console.log(jsonText({ error: { message, code, oauthError, exitCode } }));
  }
  return exitCode;
}

function nameOf(command: string | undefined): string {
  return command === undefined ? 'service-auth' : `service-auth ${command}`;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  return isOutOfReach(error) ? exitCodes.undecided : exitCodes.failed;
}

/** Whether somebody was out of reach, so that trying again later may help. */
export function isOutOfReach(error: unknown): boolean {
  if (!isServiceAuthError(error)) return false;
  const { code, status = 0 } = error;
  return code === 'network_failed' || code === 'timeout' || status >= 500 || status === 429;
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unexpected failure';
  // A system error of several attempts has a code alone.
  return error.message || errorCode(error) || error.name;
}
