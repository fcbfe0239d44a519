// The queue between the caller and the sender: bounded in bytes, with a stated policy when it is full.
import type { Kind } from "./events.js";

/** Why an event was dropped; the words are those of the SDKs in every language. */
export type Reason = "queue_full" | "invalid" | "redacted" | "refused" | "gave_up" | "damaged" | "at_exit";

/** `logged + adopted = received + rejected + the sum of dropped + unconfirmed + spooled + queued`, at every instant. */
export interface Stats {
  logged: number;
  received: number;
  rejected: number;
  /** Sent, given up without an answer, and so received or not. */
  unconfirmed: number;
  /** On disk, for later. */
  spooled: number;
  /** Found in the spool of a process that ended. */
  adopted: number;
  queued: number;
  queued_bytes: number;
  /** Events that the sample left out; they were never logged. */
  sampled_out: number;
  retries: number;
  dropped: Partial<Record<Reason, number>>;
}

export interface Item {
  kind: Kind;
  line: Uint8Array;
}

/** The most that is taken at once: events, bytes of their lines, and bytes of the queue. */
export interface Bounds {
  events: number;
  lines: number;
  queued: number;
}

/** What a queued event costs beside its line. */
const ENTRY_BYTES = 112;

export const cost = (item: Item): number => item.line.length + ENTRY_BYTES;

export class Queue {
  readonly stats: Stats = {
    logged: 0,
    received: 0,
    rejected: 0,
    unconfirmed: 0,
    spooled: 0,
    adopted: 0,
    queued: 0,
    queued_bytes: 0,
    sampled_out: 0,
    retries: 0,
    dropped: {},
  };
  #items: Item[] = [];
  #first = 0;

  constructor(
    readonly bytesMax: number,
    readonly dropOldest: boolean,
  ) {}

  /** Queues an item or drops one. */
  put(item: Item): void {
    this.stats.logged++;
    const size = cost(item);
    if (this.stats.queued_bytes + size > this.bytesMax && !this.#makeRoom(size)) {
      this.drop("queue_full", 1);
      return;
    }
    this.stats.queued++;
    this.stats.queued_bytes += size;
    this.#items.push(item);
  }

  #makeRoom(size: number): boolean {
    if (!this.dropOldest || size > this.bytesMax) return false;
    while (this.stats.queued_bytes + size > this.bytesMax) {
      const oldest = this.#shift();
      if (!oldest) return false; // the rest is being sent
      this.settle(1, cost(oldest));
      this.drop("queue_full", 1);
    }
    return true;
  }

  #shift(): Item | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#first++;
    if (this.#first > 1024 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Takes the oldest items of one kind that stand together, and at least so many, however large. They count until `settle`. */
  take(bounds: Bounds, least: number): Item[] {
    const taken: Item[] = [];
    let [lines, queued] = [0, 0];
    while (taken.length < bounds.events) {
      const next = this.#items[this.#first];
      if (!next || (taken[0] && next.kind !== taken[0].kind)) break;
      lines += next.line.length + 1;
      queued += cost(next);
      if ((lines > bounds.lines || queued > bounds.queued) && taken.length >= least) break;
      this.#shift();
      taken.push(next);
    }
    return taken;
  }

  /** The fate of so many items is known. */
  settle(events: number, bytes: number): void {
    this.stats.queued -= events;
    this.stats.queued_bytes -= bytes;
  }

  /** Counts events that will not be sent. */
  drop(reason: Reason, events: number): void {
    this.stats.dropped[reason] = (this.stats.dropped[reason] ?? 0) + events;
  }
}
