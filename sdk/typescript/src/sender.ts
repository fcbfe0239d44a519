// Delivers what is in the queue, in the background, until each batch's fate is known, within bounds of time.
import { type Kind, makeId } from "./events.js";
import { type Item, type Queue, type Reason, cost } from "./queue.js";

/** Settings of the sender; see `Settings`. */
export interface Delivery {
  url: string;
  token?: string | undefined;
  batchEvents: number;
  batchBytes: number;
  flushIntervalMs: number;
  timeoutMs: number;
  retryForMs: number;
  retryDelayMs: number;
  retryDelayMaxMs: number;
  gzip: boolean;
}

interface Batch {
  kind: Kind;
  key: string;
  items: Item[];
  body: Uint8Array<ArrayBuffer>;
  begun: number;
  inDoubt: boolean;
}

const RETRIED = new Set([401, 403, 408, 425, 429]);
const RETRY_AFTER_MAX_MS = 300_000;
/** What a browser lets a page send while it is being closed. */
const KEEPALIVE_BYTES_MAX = 60_000;

export class Sender {
  #running: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wake: (() => void) | undefined;
  #failures = 0;
  #deadline = Infinity;
  #warned = false;

  constructor(
    readonly options: Delivery,
    readonly queue: Queue,
  ) {}

  /** Something was queued: send it soon, or now where it is enough for a request. */
  notify(): void {
    if (this.queue.stats.queued_bytes >= this.options.batchBytes) this.#start();
    else if (this.#timer === undefined && this.#running === undefined) {
      this.#timer = setTimeout(() => this.#start(), this.options.flushIntervalMs);
      unref(this.#timer);
    }
  }

  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#sendAll()
      .catch((error: unknown) => this.fault(`cannot send: ${error}`))
      .finally(() => {
        this.#running = undefined;
        if (this.queue.stats.queued > 0 && Date.now() < this.#deadline) this.notify();
      });
    return this.#running;
  }

  /** Sends what is queued; says whether all of it has a known fate within the time. */
  async flush(timeoutMs: number): Promise<boolean> {
    const end = Date.now() + timeoutMs;
    while (this.queue.stats.queued > 0 && Date.now() < end) {
      await Promise.race([this.#start(), pause(end - Date.now())]);
    }
    return this.queue.stats.queued === 0;
  }

  /** Sends what is queued within the time, and counts the rest as dropped. */
  async close(timeoutMs: number): Promise<void> {
    this.#deadline = Date.now() + timeoutMs;
    this.#wake?.();
    await this.flush(timeoutMs);
    clearTimeout(this.#timer);
    for (let items = this.queue.take(Infinity, Infinity); items.length > 0; items = this.queue.take(Infinity, Infinity)) {
      this.#settle(items);
      this.queue.drop("at_exit", items.length);
    }
  }

  /** One warning a client; what comes after it is counted. */
  fault(message: string): void {
    if (!this.#warned) {
      this.#warned = true;
      console.warn(`windvane: ${message} (said once; stats() counts what follows)`);
    }
  }

  async #sendAll(): Promise<void> {
    const { batchEvents, batchBytes } = this.options;
    // A batch that waits for another try must leave room in the queue for what comes.
    const bytesMax = Math.min(batchBytes, Math.max(1, this.queue.bytesMax / 4));
    for (let items = this.queue.take(batchEvents, bytesMax); items.length > 0; items = this.queue.take(batchEvents, bytesMax)) {
      await this.#deliver(await this.#batch(items));
    }
  }

  async #batch(items: Item[]): Promise<Batch> {
    const plain = joined(items);
    const body = this.options.gzip ? await gzip(plain) : plain;
    return { kind: items[0]!.kind, key: makeId(), items, body, begun: Date.now(), inDoubt: false };
  }

  async #deliver(batch: Batch): Promise<void> {
    for (;;) {
      if (Date.now() > this.#deadline) return this.#lose(batch, "at_exit");
      const wait = await this.#attempt(batch);
      if (wait === undefined) return;
      if (Date.now() - batch.begun > this.options.retryForMs) return this.#lose(batch, "gave_up");
      if (Date.now() + wait > this.#deadline) return this.#lose(batch, "at_exit");
      await this.#pause(wait);
    }
  }

  /** Sends once; answers the milliseconds until the next try, or undefined where there is none to make. */
  async #attempt(batch: Batch): Promise<number | undefined> {
    let response: Response;
    let body: string;
    try {
      response = await fetch(`${this.options.url}/v1/${batch.kind}`, {
        method: "POST",
        redirect: "manual",
        headers: this.#headers(batch),
        body: batch.body,
        keepalive: batch.body.length < KEEPALIVE_BYTES_MAX && typeof document !== "undefined",
        signal: AbortSignal.timeout(this.options.timeoutMs),
      });
      body = await response.text();
    } catch (error) {
      batch.inDoubt = true;
      return this.#again(`${this.options.url} does not answer: ${error}`, null);
    }
    return this.#judge(batch, response, body);
  }

  #headers(batch: Batch): Record<string, string> {
    return {
      "content-type": "application/x-ndjson",
      "idempotency-key": batch.key,
      ...(this.options.gzip && { "content-encoding": "gzip" }),
      ...(this.options.token !== undefined && { authorization: `Bearer ${this.options.token}` }),
    };
  }

  async #judge(batch: Batch, response: Response, body: string): Promise<number | undefined> {
    const { status } = response;
    const told = parsed(body);
    const accepted = told["accepted"];
    if (typeof accepted === "number" && (status === 200 || status === 400)) {
      this.#failures = 0;
      const rejected = batch.items.length - accepted;
      if (rejected > 0) this.fault(`the collector rejects ${rejected} of ${batch.items.length} ${batch.kind}: ${body.slice(0, 300)}`);
      this.#settle(batch.items);
      this.queue.stats.received += accepted;
      this.queue.stats.rejected += rejected;
      return undefined;
    }
    const said = String(told["detail"] ?? "no reason was given").slice(0, 300);
    if (RETRIED.has(status) || status >= 500 || (status >= 200 && status < 300)) {
      batch.inDoubt ||= [200, 502, 503, 504].includes(status);
      return this.#again(`${this.options.url} answers ${status}: ${said}`, response.headers.get("retry-after"));
    }
    if (status === 413 && batch.items.length > 1) {
      const middle = batch.items.length >> 1;
      await this.#deliver(await this.#batch(batch.items.slice(0, middle)));
      await this.#deliver(await this.#batch(batch.items.slice(middle)));
      return undefined;
    }
    this.fault(`${this.options.url} refuses a batch of ${batch.kind} with ${status}: ${said}`);
    this.#settle(batch.items);
    this.queue.drop("refused", batch.items.length);
    return undefined;
  }

  #again(message: string, retryAfter: string | null): number {
    this.#failures++;
    this.queue.stats.retries++;
    this.fault(message);
    const { retryDelayMs, retryDelayMaxMs } = this.options;
    const doubled = retryDelayMs * 2 ** Math.min(this.#failures - 1, 30);
    const wait = Math.min(retryDelayMaxMs, doubled) * (0.5 + Math.random() / 2);
    const asked = milliseconds(retryAfter);
    return asked === undefined ? wait : Math.max(asked * (1 + Math.random() / 10), Math.min(wait, 1000));
  }

  #pause(wait: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      unref(timer);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }

  #lose(batch: Batch, reason: Reason): void {
    this.#settle(batch.items);
    if (batch.inDoubt) this.queue.stats.unconfirmed += batch.items.length;
    else this.queue.drop(reason, batch.items.length);
  }

  #settle(items: Item[]): void {
    this.queue.settle(items.length, items.reduce((sum, item) => sum + cost(item), 0));
  }
}

function joined(items: Item[]): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(items.reduce((sum, { line }) => sum + line.length + 1, 0));
  let offset = 0;
  for (const { line } of items) {
    body.set(line, offset);
    body[offset + line.length] = 10;
    offset += line.length + 1;
  }
  return body;
}

async function gzip(body: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function parsed(body: string): Record<string, unknown> {
  try {
    const told: unknown = JSON.parse(body);
    return typeof told === "object" && told !== null ? (told as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Retry-After: seconds, or a date; bounded, so that no server silences a process for good. */
function milliseconds(retryAfter: string | null): number | undefined {
  if (!retryAfter) return undefined;
  const seconds = Number(retryAfter);
  const ms = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.now() : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => unref(setTimeout(resolve, ms)));
}

/** A timer that keeps no process alive; browsers have numbers for timers. */
function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
