import { AsyncResource } from 'node:async_hooks';
import type { Dispatcher } from 'undici';
import type { AuthorizedCall } from '../src/index.ts';
import { withCredential } from './undici-headers.ts';

type Controller = Dispatcher.DispatchController;
type Handler = Dispatcher.DispatchHandler;
type Options = Dispatcher.DispatchOptions;
type Parameter<Name extends keyof Handler, At extends number> = Parameters<NonNullable<Handler[Name]>>[At];
type Fields = Parameter<'onResponseStart', 2>;

/** An answer that nobody will see is read to its end if it is no longer than this, so that its connection is kept. */
const MOST_DRAINED_BYTES = 64 * 1024;

/**
 * One call of somebody who knows of one request alone, however many are sent. In that one's hand it is the controller
 * of whatever connection serves the call at the time.
 */
export class UndiciCall implements Controller {
  readonly handler: Handler;
  readonly #dispatch: Dispatcher.Dispatch;
  readonly #options: Options;
  readonly #url: string;
  /** Where it was made: answers come in the context of whoever opened the connection. */
  readonly #context = new AsyncResource('service-auth.call');
  #connection: Controller | undefined;
  #isStarted = false;
  #isOver = false;
  #isPaused = false;
  #reason: Error | null = null;

  /** The URL is that of the options. */
  constructor(dispatch: Dispatcher.Dispatch, options: Options, url: string, handler: Handler) {
    this.#dispatch = dispatch;
    this.#options = options;
    this.#url = url;
    this.handler = handler;
  }

  /** Sends it once its credentials are there. */
  sendLater(credentials: Promise<AuthorizedCall>): boolean {
    // At once, so that the call can be aborted from now on.
    this.#start(undefined);
    credentials.then((ready) => this.send(ready)).catch((error) => this.fail(error));
    return true;
  }

  send(credentials: AuthorizedCall): boolean {
    if (this.#isOver) return true;
    this.#connection = undefined;
    // Not spread into a literal: that takes V8 a tenth of a whole call more.
    const request = Object.assign(
      {},
      this.#options,
      credentials.url !== this.#url && placeOf(credentials.url),
      {
        headers: withCredential(this.#options.headers, credentials),
        // An interceptor nearer to the wire would take the credentials along to where it is redirected.
        maxRedirections: 0,
      },
    );
    return this.#dispatch(request, new Attempt(this, credentials));
  }

  /** Does what belongs to the call, such as its next attempt, so that traces and stores of its context go along. */
  inContext<T>(work: () => T): T {
    return this.#context.runInAsyncScope(work);
  }

  /** Ends the call, unless it is over. */
  fail(thrown: unknown): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#connection?.abort(error);
    this.handler.onResponseError?.(this, error);
    return false;
  }

  connected(controller: Controller, context: unknown): void {
    this.#connection = controller;
    if (this.#isOver) controller.abort(this.#reason ?? new Error('the call is over'));
    else if (!this.#isStarted) this.#start(context);
    else if (this.#isPaused) controller.pause();
  }

  #start(context: unknown): void {
    this.#isStarted = true;
    this.handler.onRequestStart?.(this, context);
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    // Handlers of the older kind may give none.
    this.#reason = reason ?? new Error('the request was aborted');
    // At once: the connection of an answer that is held back may be gone, and would tell nobody.
    this.fail(this.#reason);
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#connection?.resume();
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  get aborted(): boolean {
    return this.#reason !== null;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  get rawHeaders(): Exclude<Controller['rawHeaders'], undefined> {
    return this.#connection?.rawHeaders ?? null;
  }

  get rawTrailers(): Exclude<Controller['rawTrailers'], undefined> {
    return this.#connection?.rawTrailers ?? null;
  }
}

/** Handles one request of a call, and keeps to itself an answer that leads to another one. */
class Attempt implements Handler {
  readonly #call: UndiciCall;
  readonly #credentials: AuthorizedCall;
  #isDropped = false;
  /** What is to be told, while it is not known yet whether this answer is the one. */
  #held: (() => void)[] | undefined;

  constructor(call: UndiciCall, credentials: AuthorizedCall) {
    this.#call = call;
    this.#credentials = credentials;
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.#call.connected(controller, context);
  }

  onRequestUpgrade(
    _: Controller,
    status: number,
    headers: Fields,
    socket: Parameter<'onRequestUpgrade', 3>,
  ): void {
    this.#call.handler.onRequestUpgrade?.(this.#call, status, headers, socket);
  }

  onResponseStart(controller: Controller, status: number, headers: Fields, message?: string): void {
    const call = this.#call;
    if (status < 200 || !this.#credentials.concerns(status)) {
      call.handler.onResponseStart?.(call, status, headers, message);
      return;
    }
    const answer = { status, headers: { get: (name: string) => joined(headers[name]) } };
    const next = call.inContext(() => this.#credentials.again(answer));
    const deliver = (): void => call.handler.onResponseStart?.(call, status, headers, message);
    if (next === undefined) deliver();
    else if (next instanceof Promise) this.#hold(controller, headers, next, deliver);
    else this.#replace(controller, headers, next);
  }

  #hold(
    controller: Controller,
    headers: Fields,
    next: Promise<AuthorizedCall | undefined>,
    deliver: () => void,
  ): void {
    controller.pause();
    this.#held = [deliver];
    next
      .then((credentials) => {
        if (this.#call.aborted) return;
        const held = this.#held ?? [];
        this.#held = undefined;
        if (credentials !== undefined) this.#replace(controller, headers, credentials);
        else for (const tell of held) tell();
        if (this.#isDropped || !this.#call.paused) controller.resume();
      })
      .catch((error) => this.#call.fail(error));
  }

  #replace(controller: Controller, headers: Fields, next: AuthorizedCall): void {
    this.#isDropped = true;
    const isShort = Number(headers['content-length'] ?? Number.NaN) <= MOST_DRAINED_BYTES;
    if (!isShort) controller.abort(new Error('the answer is not needed'));
    try {
      this.#call.inContext(() => this.#call.send(next));
    } catch (error) {
      this.#call.fail(error);
    }
  }

  onResponseData(_: Controller, chunk: Buffer): void {
    this.#tell(() => this.#call.handler.onResponseData?.(this.#call, chunk));
  }

  onResponseEnd(_: Controller, trailers: Fields): void {
    this.#tell(() => this.#call.handler.onResponseEnd?.(this.#call, trailers));
  }

  onResponseError(_: Controller, error: Error): void {
    // Who aborts a call does not wait for its answer any more.
    if (this.#call.aborted) this.#call.fail(error);
    else this.#tell(() => this.#call.fail(error));
  }

  #tell(what: () => void): void {
    if (this.#isDropped) return;
    if (this.#held === undefined) what();
    else this.#held.push(what);
  }
}

function placeOf(href: string): { origin: string; path: string } {
  const { origin, pathname, search } = new URL(href);
  return { origin, path: pathname + search };
}

function joined(value: string | string[] | undefined): string | null {
  return value === undefined ? null : [value].flat().join(', ');
}
