// The clock, times that somebody waits for, and what a server asks for.

/** What the finer clock and the wall clock may be apart. */
const APART_MS = 50;
let origin = performance.timeOrigin;

/** Microseconds since 1970 by the finer clock, which stands still while a machine sleeps and knows of no clock that was set: then anew. */
export function now(): number {
  const wall = Date.now();
  if (Math.abs(origin + performance.now() - wall) > APART_MS) origin = wall - performance.now();
  return Math.floor((origin + performance.now()) * 1000);
}

const RETRY_AFTER_MAX_MS = 300_000;

/** Retry-After: seconds, or a date; bounded, so that no server silences a process for good. */
export function milliseconds(retryAfter: string | null): number | undefined {
  if (!retryAfter) return undefined;
  const seconds = Number(retryAfter);
  const ms = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.now() : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS);
}

/** A time that somebody waits for, so that it keeps the process alive until it is cleared. */
export class Limit {
  readonly over: Promise<void>;
  readonly #end: number;
  #hasRung = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#end = Date.now() + ms;
    this.over = new Promise((resolve) => {
      this.#timer = setTimeout(() => resolve(void (this.#hasRung = true)), timed(ms));
    });
  }

  /** By the clock, too: a loop that never leaves the microtasks lets no timer ring. */
  get isOver(): boolean {
    return this.#hasRung || Date.now() >= this.#end;
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** What a timer takes: one that is asked for more rings at once. */
export const timed = (ms: number): number => Math.min(ms, 2 ** 31 - 1);

/** A timer that keeps no process alive; browsers have numbers for timers. */
export function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
