// Delivers what is in the queue, in the background, until each batch's fate is known, within bounds of time.
import { causeOf, firstOf, mayHaveArrived, parsed, textOf } from "./answer.js";
import { type Batch, type Disk, type Stored, gzip, joined } from "./batch.js";
import { makeId } from "./events.js";
import { type Item, type Queue, type Reason, cost } from "./queue.js";
import { Limit, milliseconds, timed, unref } from "./time.js";

/** Settings of the sender; see `Settings`. */
export interface Delivery {
  url: string;
  authorization?: string | undefined;
  batchEvents: number;
  batchBytes: number;
  flushIntervalMs: number;
  timeoutMs: number;
  retryForMs: number;
  retryDelayMs: number;
  retryDelayMaxMs: number;
  gzip: boolean;
  reportDrops: boolean;
  disk?: Disk | undefined;
}

/** Who reports what was lost: the process, or all browsers together. */
const UNIT = typeof process === "undefined" ? "browser" : `node/${process.env?.["HOSTNAME"] ?? "localhost"}/${process.pid}`;
const RETRIED = new Set([401, 403, 408, 425, 429]);
/** What a browser lets all requests of a page hold that outlive it: 64 KiB, less what other programs of the page may send. */
const KEEPALIVE_BYTES_MAX = 60_000;

export class Sender {
  #running: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What ends each pause before its time. */
  readonly #pauses = new Set<() => void>();
  #failures = 0;
  #deadline = Infinity;
  #warned = false;
  #inFlight: Batch[] = [];
  /** A batch that is being made: in neither the queue nor in flight. */
  #making: Promise<Batch> | undefined;
  /** What batches are made of as long as they are made, and the batch that the end puts on the disk. */
  readonly #held = new Set<Item[]>();
  #keeping: Batch | undefined;
  /** Batches that left when the page was hidden, beside those in flight. */
  readonly #leaving = new Map<Batch, Promise<void>>();
  /** The requests that wait for their answers. */
  readonly #asked = new Set<{ batch: Batch; abort: AbortController }>();
  /** Bytes of those that outlive the page. */
  #keptAlive = 0;
  #opened: Promise<Disk | undefined> | undefined;
  #reported = 0;
  #report: Batch | undefined;

  constructor(
    readonly options: Delivery,
    readonly queue: Queue,
  ) {}

  /** Something was queued: send it soon, or now where it is enough for a request. */
  notify(): void {
    if (this.queue.stats.queued_bytes >= this.options.batchBytes) this.#start();
    else if (this.#timer === undefined && this.#running === undefined) {
      this.#timer = setTimeout(() => this.#start(), timed(this.options.flushIntervalMs));
      unref(this.#timer);
    }
  }

  #start(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#sendAll()
      .catch((error: unknown) => this.fault(`cannot send: ${textOf(error)}`))
      .finally(() => {
        this.#running = undefined;
        const { queued, spooled } = this.queue.stats;
        if (queued + spooled > 0 && Date.now() < this.#deadline) this.notify();
      });
    return this.#running;
  }

  /** Sends what is queued; says whether all of it has a known fate within the time. */
  async flush(timeoutMs: number): Promise<boolean> {
    const limit = new Limit(timeoutMs);
    while (this.queue.stats.queued > 0 && !limit.isOver) {
      await Promise.race([Promise.all([this.#start(), ...this.#leaving.values()]), limit.over]);
    }
    limit.clear();
    return this.queue.stats.queued === 0;
  }

  /**
   * Sends what fits into requests that outlive the page, before it returns: a page that is hidden may never run again. Nothing is
   * compressed for them, as that takes turns of the event loop. What does not fit is sent as always, if the page lives on.
   */
  leave(): void {
    const room = (): number => KEEPALIVE_BYTES_MAX - this.#keptAlive;
    for (let items = this.#take(room(), 0); items.length > 0; items = this.#take(room(), 0)) {
      const batch = this.#made(items, joined(items), false);
      this.#leaving.set(batch, this.#left(batch));
    }
    void this.#start();
  }

  /** What did not arrive is tried again as any other batch. */
  async #left(batch: Batch): Promise<void> {
    const wait = await this.#attempt(batch);
    if (wait !== undefined) await this.#pause(wait);
    this.#leaving.delete(batch);
    if (wait !== undefined && !batch.isOver) this.#inFlight.push(batch);
    if (this.#inFlight.length > 0) void this.#start();
  }

  /** Sends what is queued within the time; the rest goes to the disk, or is counted as dropped. */
  async close(timeoutMs: number): Promise<void> {
    this.#deadline = Date.now() + timeoutMs;
    for (const end of this.#pauses) end();
    await this.flush(timeoutMs);
    clearTimeout(this.#timer);
    const disk = await (this.queue.stats.queued > 0 ? this.#disk() : this.#opened);
    for (const batch of disk ? [...this.#inFlight] : []) await this.#keep(batch);
    for (let items = this.#take(); items.length > 0; items = this.#take()) {
      // Nothing is compressed for nobody: of a full queue that would take longer than the caller gave.
      this.#held.add(items);
      const batch = disk ? await this.#batch(items) : this.#made(items, new Uint8Array(), false);
      this.#held.delete(items);
      this.#keeping = batch;
      if (!(await this.#keep(batch))) this.#lose(batch, "at_exit");
      this.#keeping = undefined;
    }
    const limit = new Limit(this.#deadline - Date.now());
    await Promise.race([this.#running, limit.over]);
    limit.clear();
    this.#deadline = 0;
    await this.#loseRest();
    await disk?.close().catch((error: unknown) => this.fault(`cannot give the spool up: ${textOf(error)}`));
  }

  /**
   * Writes what is left to the disk, where there is one, before it returns: at the end of a process nothing that waits runs any more. What was
   * sent and not answered keeps its key, so that the next process does not send it twice.
   */
  leaveOnDisk(): void {
    const { disk } = this.options;
    if (!disk) return;
    const made = (items: Item[]): Batch => this.#made(items, joined(items), false);
    const keep = (batch: Batch): void => {
      const { key, kind, events, body, isPacked } = batch;
      if (!batch.isOver && !batch.stored && disk.addNow({ key, kind, events, body, isPacked })) this.#finish(batch);
    };
    for (const batch of [...this.#inFlight, ...(this.#keeping ? [this.#keeping] : [])]) keep(batch);
    for (const items of this.#held) keep(made(items));
    for (let items = this.#take(); items.length > 0; items = this.#take()) keep(made(items));
    disk.leave();
  }

  /** Nothing is left without a fate. What was sent and not answered may have been received; its answer counts no more. */
  async #loseRest(): Promise<void> {
    const made = await this.#making?.catch(() => undefined); // what cannot be made is told by whoever makes it
    const asked = [...this.#asked];
    for (const { batch } of asked) batch.inDoubt = true;
    for (const batch of new Set([...this.#inFlight, ...this.#leaving.keys(), ...(made ? [made] : [])])) this.#lose(batch, "at_exit");
    for (const { abort } of asked) abort.abort();
  }

  /** One warning a client; what comes after it is counted. */
  fault(message: string): void {
    if (!this.#warned) {
      this.#warned = true;
      try {
        console.warn(`windvane: ${message} (said once; stats() counts what follows)`);
      } catch {
        // a console that throws, as in a program's tests, is no reason to throw there
      }
    }
  }

  async #sendAll(): Promise<void> {
    await this.#disk();
    await this.#sendInFlight();
    for (let items = this.#take(); items.length > 0; items = this.#take()) {
      this.#held.add(items);
      this.#making = this.#batch(items);
      const made = await this.#making;
      this.#making = undefined;
      this.#held.delete(items);
      if (!made.isOver) this.#inFlight.push(made);
      await this.#sendInFlight();
      await this.#sendStored(1);
    }
    await this.#sendStored(Infinity);
    await this.#sendReport();
  }

  async #sendInFlight(): Promise<void> {
    for (let [first] = this.#inFlight; first; [first] = this.#inFlight) await this.#deliver(first);
  }

  /** Tells the collector how many events were lost, as a measurement beside the others; it is no event of the caller. */
  async #sendReport(): Promise<void> {
    if (!this.options.reportDrops || this.#failures > 0 || Date.now() > this.#deadline) return;
    const { dropped, rejected } = this.queue.stats;
    const lost = rejected + Object.values(dropped).reduce((sum, n) => sum + n, 0);
    if (!this.#report && lost > this.#reported) {
      const metric = "windvane.sdk.dropped";
      const record = { unit_id: UNIT, metric, value: lost - this.#reported, ts: Date.now() * 1000, event_id: makeId() };
      const report = { kind: "measurements" as const, line: new TextEncoder().encode(JSON.stringify(record)) };
      this.#report = { ...(await this.#batch([report])), items: [], events: 0 };
      this.#reported = lost;
    }
    if (this.#report && (await this.#attempt(this.#report)) === undefined) this.#report = undefined;
  }

  #take(room = Infinity, least = 1): Item[] {
    const { batchEvents, batchBytes } = this.options;
    // A batch that waits for another try must leave room in the queue for what comes.
    const bounds = { events: batchEvents, lines: Math.min(room, batchBytes), queued: this.queue.bytesMax / 4 };
    return this.queue.take(bounds, least);
  }

  /** The disk, opened once; undefined where there is none or it cannot be used. */
  #disk(): Promise<Disk | undefined> {
    const { disk } = this.options;
    this.#opened ??= disk
      ? disk.open().then(
          () => {
            this.queue.stats.adopted += disk.events;
            this.queue.stats.spooled = disk.events;
            return disk;
          },
          (error: unknown) => void this.fault(`cannot use the spool: ${textOf(error)}`),
        )
      : Promise.resolve(undefined);
    return this.#opened;
  }

  /** Sends what waits on disk, the oldest first, as long as the server takes it. */
  async #sendStored(batchesMax: number): Promise<void> {
    const disk = await this.#disk();
    for (let n = 0; disk && n < batchesMax; n++) {
      const stored = disk.oldest();
      if (!stored || Date.now() > this.#deadline) return;
      const batch = await this.#read(disk, stored);
      if (!batch) continue;
      const wait = await this.#attempt(batch);
      if (wait !== undefined) {
        // Else the queue's own tries keep the pace.
        if (this.queue.stats.queued === 0) await this.#pause(wait);
        return;
      }
      if (batch.isOver) await disk.delete(stored);
    }
  }

  async #read(disk: Disk, stored: Stored): Promise<Batch | undefined> {
    const { key, kind, events } = stored;
    const rest = { items: [], body: new Uint8Array(), isPacked: true, begun: Date.now(), inDoubt: false, isOver: false };
    const batch: Batch = { kind, key, events, stored, ...rest };
    try {
      batch.body = await disk.read(stored);
      return batch;
    } catch (error) {
      this.fault(`cannot read ${stored.path}: ${textOf(error)}`);
      this.#lose(batch, "damaged");
      await disk.setAside(stored);
      return undefined;
    }
  }

  /** Moves a batch that failed to the disk, so that it costs no memory while it waits; says whether it need not be tried here. */
  async #keep(batch: Batch): Promise<boolean> {
    if (batch.stored || batch.isOver) return true;
    const disk = await this.#disk();
    batch.kept ??= disk ? disk.add(batch.key, batch.kind, batch.events, batch.body).catch(() => false) : Promise.resolve(false);
    const { kept } = batch;
    if (!(await kept)) {
      if (batch.kept === kept) delete batch.kept; // there may be room later
      return batch.isOver;
    }
    this.#finish(batch);
    return true;
  }

  async #batch(items: Item[]): Promise<Batch> {
    const plain = joined(items);
    return this.options.gzip ? this.#made(items, await gzip(plain), true) : this.#made(items, plain, false);
  }

  #made(items: Item[], body: Uint8Array<ArrayBuffer>, isPacked: boolean): Batch {
    const rest = { begun: Date.now(), inDoubt: false, isOver: false };
    return { kind: items[0]!.kind, key: makeId(), events: items.length, items, body, isPacked, ...rest };
  }

  async #deliver(batch: Batch): Promise<void> {
    for (;;) {
      if (Date.now() > this.#deadline) return this.#lose(batch, "at_exit");
      const wait = await this.#attempt(batch);
      if (wait === undefined) return;
      if (await this.#keep(batch)) return void (await this.#pause(wait));
      if (Date.now() - batch.begun > this.options.retryForMs) return this.#lose(batch, "gave_up");
      if (Date.now() + wait > this.#deadline) return this.#lose(batch, "at_exit");
      await this.#pause(wait);
    }
  }

  /** Sends once; answers the milliseconds until the next try, or undefined where there is none to make. */
  async #attempt(batch: Batch): Promise<number | undefined> {
    let response: Response;
    let body: string;
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new Error(`no answer for ${this.options.timeoutMs} ms`)), timed(this.options.timeoutMs));
    unref(timer);
    const asked = { batch, abort };
    this.#asked.add(asked);
    const keepalive = typeof document !== "undefined" && this.#keptAlive + batch.body.length <= KEEPALIVE_BYTES_MAX;
    const kept = keepalive ? batch.body.length : 0;
    this.#keptAlive += kept;
    try {
      response = await fetch(`${this.options.url}/v1/${batch.kind}`, {
        method: "POST",
        redirect: "manual",
        headers: this.#headers(batch),
        body: batch.body,
        keepalive,
        signal: abort.signal,
      });
      body = await response.text();
    } catch (error) {
      batch.inDoubt ||= mayHaveArrived(error);
      return this.#again(`${this.options.url} does not answer: ${textOf(error)}${causeOf(error)}`, null);
    } finally {
      clearTimeout(timer);
      this.#asked.delete(asked);
      this.#keptAlive -= kept;
    }
    return this.#judge(batch, response, body);
  }

  #headers(batch: Batch): Record<string, string> {
    return {
      "content-type": "application/x-ndjson",
      "idempotency-key": batch.key,
      ...(batch.isPacked && { "content-encoding": "gzip" }),
      ...(this.options.authorization !== undefined && { authorization: this.options.authorization }),
    };
  }

  async #judge(batch: Batch, response: Response, body: string): Promise<number | undefined> {
    const { status } = response;
    const told = parsed(body);
    const taken = told["accepted"];
    if (typeof taken === "number" && (status === 200 || status === 400)) {
      const accepted = Math.min(taken, batch.events);
      this.#failures = 0;
      const rejected = batch.events - accepted;
      if (rejected > 0) this.fault(`the collector rejects ${rejected} of ${batch.events} ${batch.kind}; the first: ${firstOf(told["rejected"])}`);
      if (this.#finish(batch)) {
        this.queue.stats.received += accepted;
        this.queue.stats.rejected += rejected;
      }
      return undefined;
    }
    const said = String(told["detail"] ?? "no reason was given").slice(0, 300);
    if (RETRIED.has(status) || status >= 500 || (status >= 200 && status < 300)) {
      batch.inDoubt ||= [200, 502, 503, 504].includes(status);
      return this.#again(`${this.options.url} answers ${status}: ${said}`, response.headers.get("retry-after"));
    }
    if (status === 413 && batch.items.length > 1) {
      const middle = batch.items.length >> 1;
      const halves = await Promise.all([this.#batch(batch.items.slice(0, middle)), this.#batch(batch.items.slice(middle))]);
      if (!batch.isOver) this.#inFlight = [...halves, ...this.#inFlight.filter((other) => other !== batch)];
      return undefined;
    }
    if (status === 413 && batch.stored && batch.events > 1) return this.#halve(batch.stored, batch.body);
    this.fault(`${this.options.url} refuses a batch of ${batch.kind} with ${status}: ${said}`);
    if (this.#finish(batch) && batch.events > 0) this.queue.drop("refused", batch.events);
    return undefined;
  }

  async #halve(stored: Stored, body: Uint8Array): Promise<number | undefined> {
    try {
      await this.options.disk?.halve(stored, body);
      return undefined;
    } catch (error) {
      return this.#again(`cannot write the halves of ${stored.path}: ${textOf(error)}`, null);
    }
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
      const end = (): void => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, timed(wait));
      unref(timer);
      this.#pauses.add(end);
    });
  }

  #lose(batch: Batch, reason: Reason): void {
    if (!this.#finish(batch)) return;
    if (batch.inDoubt) this.queue.stats.unconfirmed += batch.events;
    else this.queue.drop(reason, batch.events);
  }

  /** The batch leaves the queue or the disk; says whether the caller is the one to count its fate. */
  #finish(batch: Batch): boolean {
    if (batch.isOver) return false;
    batch.isOver = true;
    this.#inFlight = this.#inFlight.filter((other) => other !== batch);
    this.queue.settle(batch.items.length, batch.items.reduce((sum, item) => sum + cost(item), 0));
    const { disk } = this.options;
    if (disk && batch.stored) disk.forget(batch.stored);
    if (disk) this.queue.stats.spooled = disk.events;
    return true;
  }
}
