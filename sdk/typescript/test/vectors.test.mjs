// The contract that all SDKs and the collector share: event encoding, sampling, assignment.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Client, assign, keeps } from "../dist/index.js";
import { point as unitPoint } from "../dist/assignment.js";
import { point as samplePoint } from "../dist/sampling.js";
import { sha256 } from "../dist/sha256.js";
import { faultyCollector } from "./collector.mjs";

const vectors = (name) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), "utf8")).vectors;

/** JSON has no NaN; the vectors write {"float": "nan"}. */
function valueOf(written) {
  if (Array.isArray(written)) return written.map(valueOf);
  if (typeof written !== "object" || written === null) return written;
  if (Object.keys(written).join() === "float") return { nan: NaN, inf: Infinity, "-inf": -Infinity }[written.float];
  return Object.fromEntries(Object.entries(written).map(([key, held]) => [key, valueOf(held)]));
}

test("events are encoded as the contract says", async () => {
  const collector = await faultyCollector();
  const client = new Client({ url: collector.url, flushIntervalMs: 5 });
  const log = {
    predictions: (call) => client.logPrediction(call),
    outcomes: (call) => client.logOutcome(call),
    exposures: (call) => client.logExposure(call),
    measurements: (call) => client.logMeasurement(call),
  };
  const all = vectors("events");
  for (const { kind, call } of all) log[kind](valueOf(call));
  assert.ok(await client.flush());
  for (const [kind, records] of Object.entries(collector.records)) {
    const expected = all.filter((vector) => vector.kind === kind).map((vector) => vector.record);
    assert.equal(JSON.stringify(sorted(records)), JSON.stringify(sorted(expected)));
  }
  assert.equal(client.stats().received, all.length);
  await client.close();
  await collector.stop();
});

/** With keys in order, so that records compare as JSON does: -0 is 0. */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

test("sampling decides as every language does", () => {
  for (const { event_id, point, kept } of vectors("sampling")) {
    assert.equal(samplePoint(event_id), point, event_id);
    for (const [rate, expected] of Object.entries(kept)) assert.equal(keeps(event_id, Number(rate)), expected, `${event_id} ${rate}`);
  }
});

test("assignment answers every vector", () => {
  for (const { name, definition, unit, points, outcome, arm } of vectors("assignment")) {
    assert.deepEqual(assign(definition, unit), { outcome, arm }, name);
    assert.equal(unitPoint("arm", definition.salt, unit), points.arm, name);
  }
});

test("the digest is that of node:crypto at every length around a block", () => {
  for (let length = 0; length < 200; length++) {
    const message = Uint8Array.from({ length }, (_, i) => (i * 37 + length) % 256);
    const words = Array.from(sha256(message), (word) => word.toString(16).padStart(8, "0")).join("");
    assert.equal(words, createHash("sha256").update(message).digest("hex"), `${length}`);
  }
});

test("an experiment that cannot be dealt out is refused", () => {
  const arms = [{ arm: "A", weight: 1 }];
  for (const definition of [
    { salt: "", arms },
    { salt: "x", arms: [] },
    { salt: "x", arms: [{ arm: "A", weight: -1 }] },
    { salt: "x", arms: [...arms, ...arms] },
    { salt: "x", arms: [...arms, { arm: "", weight: 1 }] },
    { salt: "x", arms: [1e308, 1e308].map((weight, i) => ({ arm: `${i}`, weight })) },
    { salt: "x", arms, ramp: 1.5 },
    { salt: "x", arms, layer: { name: "l", from: 0.5, to: 0.5 } },
    { salt: "x", arms, holdout: { name: "h", share: NaN } },
  ]) {
    assert.throws(() => assign(definition, "u"), RangeError, JSON.stringify(definition));
  }
});

test("what is no string is no unit", () => {
  const definition = { salt: "x", arms: [{ arm: "A", weight: 1 }] };
  for (const unit of [undefined, null, 42, {}, Symbol("u")]) {
    assert.throws(() => assign(definition, unit), TypeError, String(unit));
  }
});
