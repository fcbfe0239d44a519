// Which arm a unit gets: the rule of docs/ASSIGNMENT.md, the same in every language, asked of nobody.
import { point as pointOf } from "./sha256.js";

const RULE = "windvane.assignment/1";
const text = new TextEncoder();

/** An experiment as its services know it. The order of the arms and the numbers as they are written are part of the rule. */
export interface Definition {
  salt: string;
  arms: readonly { arm: string; weight: number }[];
  ramp?: number;
  layer?: { name: string; from: number; to: number };
  holdout?: { name: string; share: number };
}

/** What became of a unit; `arm` is null unless the outcome is `arm`. `undefined` is a client's word for a definition that cannot be dealt out. */
export interface Assignment {
  outcome: "arm" | "ramp" | "layer" | "holdout" | "undefined";
  arm: string | null;
}

/** One of the points of a unit. */
export function point(purpose: string, name: string, unit: string): number {
  const fields = [RULE, purpose, name, unit].map((field) => text.encode(field));
  const message = new Uint8Array(fields.reduce((sum, field) => sum + 4 + field.length, 0));
  const view = new DataView(message.buffer);
  let offset = 0;
  for (const field of fields) {
    view.setUint32(offset, field.length);
    message.set(field, offset + 4);
    offset += 4 + field.length;
  }
  return pointOf(message);
}

const bound = (share: number): number => Math.floor(share * 2 ** 53);

/** The arm of a unit, or why it has none. Throws a RangeError where the definition cannot be dealt out, a TypeError where the unit is no string. */
export function assign(definition: Definition, unit: string): Assignment {
  check(definition);
  // An encoder takes undefined for a text of no length: all who have no unit would be one.
  if (typeof unit !== "string") throw new TypeError(`the unit is ${String(unit)}; accepted is a string`);
  const { salt, arms, ramp = 1, layer, holdout } = definition;
  if (holdout && point("holdout", holdout.name, unit) < bound(holdout.share)) return { outcome: "holdout", arm: null };
  if (layer) {
    const place = point("layer", layer.name, unit);
    if (place < bound(layer.from) || place >= bound(layer.to)) return { outcome: "layer", arm: null };
  }
  if (point("ramp", salt, unit) >= bound(ramp)) return { outcome: "ramp", arm: null };
  const total = arms.reduce((sum, { weight }) => sum + weight, 0);
  const place = point("arm", salt, unit);
  let cumulated = 0;
  for (const { arm, weight } of arms) {
    cumulated += weight;
    if (place < bound(cumulated / total)) return { outcome: "arm", arm };
  }
  throw new Error("the last arm ends at 2**53");
}

function check({ salt, arms, ramp = 1, layer, holdout }: Definition): void {
  const share = (x: number): boolean => x >= 0 && x <= 1;
  if (!salt) throw new RangeError("an experiment has a salt that is not empty");
  const total = arms.reduce((sum, { weight }) => sum + weight, 0);
  if (!arms.every(({ weight }) => weight >= 0) || !(total > 0 && total < Infinity)) {
    throw new RangeError("accepted are weights of 0 or more, one of them above 0");
  }
  if (!arms.every(({ arm }) => arm)) throw new RangeError("arms have names that are not empty");
  if (new Set(arms.map(({ arm }) => arm)).size < arms.length) throw new RangeError("arms have names of their own");
  if (!share(ramp)) throw new RangeError(`ramp is ${ramp}; accepted are shares from 0 to 1`);
  if (holdout && !share(holdout.share)) throw new RangeError("holdout: accepted are shares from 0 to 1");
  if (layer && !(share(layer.from) && share(layer.to) && layer.from < layer.to)) {
    throw new RangeError("layer: accepted is 0 <= from < to <= 1");
  }
}
