// The four kinds of events as they are logged, and their encoding.
import { now } from "./time.js";

export type Scalar = string | number | boolean | null | undefined;
export type Kind = "predictions" | "outcomes" | "exposures" | "measurements";
export type Answer =
  | { score: number }
  | { label: string | number | boolean; probabilities?: Record<string, number> }
  | { value: number };

/** One answer of a model. What is left out comes from the client's settings, or is missing. */
export interface Prediction {
  model?: string;
  version?: string;
  event_id?: string;
  /** Integer microseconds since 1970, a Date, or RFC 3339 text; now, if left out. */
  ts?: number | string | Date;
  environment?: string;
  unit_id?: string;
  arms?: Record<string, string>;
  features?: Record<string, Scalar>;
  embeddings?: Record<string, ArrayLike<number>>;
  prediction?: Answer;
  latency_us?: number;
  status?: string;
  trace_id?: string;
  span_id?: string;
  tags?: Record<string, string>;
}

/** The truth of a prediction: a label or a value. */
export interface Outcome {
  event_id: string;
  model?: string;
  ts?: number | string | Date;
  label?: string | number | boolean;
  value?: number;
}

/** A unit was assigned to an arm. */
export interface Exposure {
  experiment: string;
  unit_id: string;
  arm: string;
  ts?: number | string | Date;
  event_id?: string;
}

/** One value of a metric of a unit. */
export interface Measurement {
  unit_id: string;
  metric: string;
  value: number;
  ts?: number | string | Date;
  event_id?: string;
}

export type Record_ = Record<string, unknown>;

/**
 * The record as one line of JSON. A feature that is not finite becomes null, which `JSON.stringify` does by itself; an answer that
 * is not finite becomes the status `non_finite`.
 */
export function line(record: Record_): string {
  const answer = record["prediction"];
  if (answer && typeof answer === "object" && !isFinite_(answer)) {
    const { prediction: _, ...rest } = record;
    return line({ ...rest, status: record["status"] ?? "non_finite" });
  }
  return JSON.stringify(record, replaced).replace(ESCAPED, (found) => (found === "\\\\" ? found : "?"));
}

/** A backslash, or half of a surrogate pair, which is no character: JSON has it all the same, and readers refuse the whole record. */
const ESCAPED = /\\(?:\\|ud[89a-f][0-9a-f]{2})/gi;

function replaced(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  return value;
}

function isFinite_(answer: object): boolean {
  return Object.values(answer).every((held) =>
    typeof held === "number" ? Number.isFinite(held) : held === null || typeof held !== "object" || isFinite_(held),
  );
}

/** The answer that an object holds beside other fields, which are none of an answer's: with them the collector would reject the record. */
export function shaped(body: unknown): Answer | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const { score, label, probabilities, value } = body as Record_;
  if (typeof score === "number") return { score };
  if (typeof value === "number") return { value };
  if (typeof label !== "string" && typeof label !== "number" && typeof label !== "boolean") return undefined;
  return areProbabilities(probabilities) ? { label, probabilities } : { label };
}

/** A list of them does not say whose they are. */
function areProbabilities(held: unknown): held is Record<string, number> {
  if (typeof held !== "object" || held === null || Array.isArray(held)) return false;
  return Object.values(held).every((probability) => typeof probability === "number");
}

/** Integer microseconds, or text as it is. */
export function microseconds(ts: number | string | Date): number | string {
  if (typeof ts === "number") return Math.round(ts); // a finer clock's may have a fraction
  return ts instanceof Date ? ts.getTime() * 1000 : ts;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** Of the last id: milliseconds, and parts of 4,096 of one. */
let [lastMs, lastPart] = [0, 0];

/**
 * A UUID of version 7 (RFC 9562): milliseconds, twelve bits of the fraction of the millisecond (method 3), 62 random bits. Ids of a process,
 * or of one of its threads, rise: where the clock stands still or went back, the time of an id is the next one after that of the id before.
 */
export function makeId(): string {
  const us = now();
  let ms = Math.floor(us / 1000);
  let part = Math.floor(((us % 1000) * 4096) / 1000);
  if (ms < lastMs || (ms === lastMs && part <= lastPart)) [ms, part] = lastPart < 4095 ? [lastMs, lastPart + 1] : [lastMs + 1, 0];
  [lastMs, lastPart] = [ms, part];
  const bytes = random(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(ms / 2 ** 16));
  view.setUint16(4, ms % 2 ** 16);
  view.setUint16(6, 0x7000 | part);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let hex = "";
  for (const byte of bytes) hex += HEX[byte]!;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Node 18 has no global `crypto`; an id need not be hard to guess. */
function random(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  if (typeof crypto !== "undefined") return crypto.getRandomValues(bytes);
  return bytes.map(() => Math.random() * 256);
}
