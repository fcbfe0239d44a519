// Which events a sample keeps: decided by the event's id alone, by the rule of sdk/vectors/sampling.json.
import { point as pointOf } from "./sha256.js";

const text = new TextEncoder();
const START = "windvane.sampling/1\0";

/** The place of an id among 2^53 points. */
export function point(eventId: string): number {
  return pointOf(text.encode(START + eventId));
}

/** Whether a sample of this rate, from 0 to 1, keeps the event. */
export function keeps(eventId: string, rate: number): boolean {
  return rate >= 1 || point(eventId) < Math.floor(rate * 2 ** 53);
}
