// The client: logs events to one collector. Its methods never throw and never wait for the network.
import { address, authorization } from "./address.js";
import { textOf } from "./answer.js";
import { type Assignment, type Definition, assign } from "./assignment.js";
import type { Disk } from "./batch.js";
import {
  type Answer, type Exposure, type Kind, type Measurement, type Outcome, type Prediction, type Record_, line, makeId, microseconds, shaped,
} from "./events.js"; // prettier-ignore
import { type Ending, unwatch, watch } from "./exit.js";
import { Queue, type Stats } from "./queue.js";
import { keeps } from "./sampling.js";
import { Sender } from "./sender.js";
import { now } from "./time.js";

/** How a client is set up. */
export interface Settings {
  /** The collector, such as `http://127.0.0.1:8080`. */
  url: string;
  /** An API token with the scope `ingest`. */
  token?: string;
  /** What predictions have that say nothing else. */
  model?: string;
  version?: string;
  environment?: string;
  tags?: Record<string, string>;
  /** The share of predictions that is kept, by a hash of the event id; outcomes follow. 1. */
  sampleRate?: number;
  /** What never leaves the process: answers the record, changed, or null to drop the event. */
  redact?: (record: Record<string, unknown>, kind: Kind) => Record<string, unknown> | null;
  /** The most that waiting events may take. 32 MiB. */
  queueBytes?: number;
  /** When the queue is full. `drop_newest`. */
  onFull?: "drop_newest" | "drop_oldest";
  /** The most of one request. 2,000 and 1 MiB. */
  batchEvents?: number;
  batchBytes?: number;
  /** How long an event waits for others. 1 s. */
  flushIntervalMs?: number;
  /** Of one request. 10 s. */
  timeoutMs?: number;
  /** How long a batch is tried. 600 s. */
  retryForMs?: number;
  /** Between tries, doubling, with jitter; Retry-After comes first. 0.5 s to 30 s. */
  retryDelayMs?: number;
  retryDelayMaxMs?: number;
  /** How long the end of the process may be held up. 2 s. */
  exitTimeoutMs?: number;
  /** Tell the collector how many events were lost, as `windvane.sdk.dropped`. true. */
  reportDrops?: boolean;
  /** Where batches wait on disk that the server does not take: a `Spool` of `windvane/spool`, of this client alone. For Node. */
  spool?: Disk;
}

/** What a NaN would make boundless, and a zero endless. */
const BOUNDS = [
  "queueBytes", "batchEvents", "batchBytes", "flushIntervalMs", "timeoutMs", "retryForMs", "retryDelayMs", "retryDelayMaxMs", "exitTimeoutMs",
] as const; // prettier-ignore

export class Client {
  readonly #settings: Settings;
  readonly #queue: Queue;
  readonly #sender: Sender;
  readonly #defaults: Record_;
  readonly #text = new TextEncoder();
  #closed = false;
  readonly #ending: Ending = {
    close: () => this.close(),
    left: () => {
      this.#sender.leaveOnDisk();
      return this.#queue.stats.queued;
    },
  };
  readonly #atHide = (): void => this.#sender.leave();
  readonly #atChange = (): void => {
    if (document.visibilityState === "hidden") this.#sender.leave();
  };

  /** Throws a TypeError or RangeError where a setting is wrong: that is to be seen at the start, not in production. */
  constructor(settings: Settings) {
    const { sampleRate = 1, onFull = "drop_newest", queueBytes = 32 * 2 ** 20 } = settings;
    if (!(sampleRate >= 0 && sampleRate <= 1)) throw new RangeError(`sampleRate is ${sampleRate}; accepted is 0 to 1`);
    if (onFull !== "drop_newest" && onFull !== "drop_oldest") {
      throw new RangeError(`onFull is ${onFull}; accepted are drop_newest and drop_oldest`);
    }
    for (const name of BOUNDS) {
      const given = settings[name];
      if (given !== undefined && !(given >= (name.endsWith("Ms") ? 0 : 1))) {
        throw new RangeError(`${name} is ${given}; accepted are numbers from ${name.endsWith("Ms") ? 0 : 1}`);
      }
    }
    this.#settings = settings;
    this.#queue = new Queue(queueBytes, onFull === "drop_oldest");
    this.#defaults = defined({ version: settings.version, environment: settings.environment });
    this.#sender = new Sender(
      {
        url: address(settings.url),
        authorization: authorization(settings.token),
        batchEvents: settings.batchEvents ?? 2_000,
        batchBytes: settings.batchBytes ?? 2 ** 20,
        flushIntervalMs: settings.flushIntervalMs ?? 1_000,
        timeoutMs: settings.timeoutMs ?? 10_000,
        retryForMs: settings.retryForMs ?? 600_000,
        retryDelayMs: settings.retryDelayMs ?? 500,
        retryDelayMaxMs: settings.retryDelayMaxMs ?? 30_000,
        gzip: typeof CompressionStream !== "undefined",
        reportDrops: settings.reportDrops ?? true,
        disk: settings.spool,
      },
      this.#queue,
    );
    watch(this.#ending);
    if (typeof document !== "undefined") {
      globalThis.addEventListener?.("pagehide", this.#atHide);
      document.addEventListener?.("visibilitychange", this.#atChange); // the last event that phones tell a page
    }
  }

  /** Logs one answer of a model and returns its event id, under which its outcome is logged later. */
  logPrediction(prediction: Prediction): string {
    const eventId = idOf(prediction) ?? makeId();
    this.#log("predictions", eventId, () => {
      const { ts, tags, ...rest } = prediction;
      const merged = this.#settings.tags || tags ? { ...this.#settings.tags, ...tags } : undefined;
      return { model: this.#settings.model, event_id: eventId, ts: at(ts), ...this.#defaults, ...defined(rest), ...defined({ tags: merged }) };
    });
    return eventId;
  }

  /** Logs the truth of a prediction, when it becomes known. */
  logOutcome(outcome: Outcome): void {
    this.#log("outcomes", idOf(outcome), () => ({ model: this.#settings.model, ...defined(outcome), ts: at(outcome.ts) }));
  }

  /** Logs that a unit was assigned to an arm. */
  logExposure(exposure: Exposure): void {
    this.#log("exposures", undefined, () => ({ event_id: makeId(), ...defined(exposure), ts: at(exposure.ts) }));
  }

  /** Logs one value of a metric of a unit. */
  logMeasurement(measurement: Measurement): void {
    this.#log("measurements", undefined, () => ({ event_id: makeId(), ...defined(measurement), ts: at(measurement.ts) }));
  }

  /** The arm of a unit, by the rule that all languages share; logs the exposure of a unit that has one. None has where the definition is wrong, or the unit is no string. */
  assign(experiment: Definition & { name?: string }, unitId: string): Assignment {
    try {
      const assignment = assign(experiment, unitId);
      if (assignment.arm !== null) {
        this.logExposure({ experiment: experiment.name ?? experiment.salt, unit_id: unitId, arm: assignment.arm });
      }
      return assignment;
    } catch (error) {
      this.#sender.fault(`cannot assign: ${textOf(error)}`);
      return { outcome: "undefined", arm: null };
    }
  }

  /** Times a function that predicts and logs its answer; what it throws goes on, and is logged with the status `error`. */
  async monitor<T>(fields: Prediction, predict: () => T | Promise<T>, answer?: (result: T) => Answer | undefined): Promise<T> {
    const begun = performance.now();
    const log = (more: Prediction): string =>
      this.logPrediction({ latency_us: Math.round((performance.now() - begun) * 1000), ...fields, ...more });
    try {
      const result = await predict();
      log(this.#answered(result, answer));
      return result;
    } catch (error) {
      log({ status: "error", tags: { ...fields?.tags, error: error instanceof Error ? error.name : "unknown" } });
      throw error;
    }
  }

  #answered<T>(result: T, answer?: (result: T) => Answer | undefined): Prediction {
    try {
      const found = answer ? answer(result) : byShape(result);
      return found ? { prediction: found } : {};
    } catch (error) {
      this.#sender.fault(`cannot read an answer: ${textOf(error)}`);
      return {};
    }
  }

  /** What became of the events so far. */
  stats(): Stats {
    return { ...this.#queue.stats, dropped: { ...this.#queue.stats.dropped } };
  }

  /** Sends what is queued; says whether all of it has a known fate within the time. */
  flush(timeoutMs = 10_000): Promise<boolean> {
    return this.#sender.flush(timeoutMs);
  }

  /** Sends what is queued within the time, and ends. What is logged afterwards is dropped. */
  async close(timeoutMs = this.#settings.exitTimeoutMs ?? 2_000): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (typeof document !== "undefined") {
      globalThis.removeEventListener?.("pagehide", this.#atHide);
      document.removeEventListener?.("visibilitychange", this.#atChange);
    }
    await this.#sender.close(timeoutMs);
    unwatch(this.#ending);
  }

  #log(kind: Kind, sampledBy: string | undefined, make: () => Record_): void {
    try {
      if (sampledBy !== undefined && !keeps(sampledBy, this.#settings.sampleRate ?? 1)) {
        this.#queue.stats.sampled_out++;
        return;
      }
      let record: Record_ | null = make();
      if (this.#settings.redact) record = this.#settings.redact(record, kind);
      if (this.#closed || record === null) return this.#lose(record === null ? "redacted" : "at_exit");
      this.#queue.put({ kind, line: this.#text.encode(line(record)) });
      this.#sender.notify();
    } catch (error) {
      this.#lose("invalid");
      this.#sender.fault(`cannot log to ${kind}: ${textOf(error)}`);
    }
  }

  #lose(reason: "redacted" | "at_exit" | "invalid"): void {
    this.#queue.stats.logged++;
    this.#queue.drop(reason, 1);
    if (!this.#closed) this.#sender.notify();
  }
}

/** The id that an event was given; what cannot be read fails again where it is counted. */
function idOf(event: { event_id?: string } | undefined): string | undefined {
  try {
    return event?.event_id ?? undefined;
  } catch {
    return undefined;
  }
}

function at(ts: number | string | Date | undefined): number | string {
  return ts === undefined ? now() : microseconds(ts);
}

/** The fields that there are: one that is undefined is left out, as if it were not there. */
function defined(fields: object): Record_ {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function byShape(result: unknown): Answer | undefined {
  if (typeof result === "number") return { value: result };
  if (typeof result === "string" || typeof result === "boolean") return { label: result };
  return shaped(result);
}
