// The server is slow, away, or wrong: the caller never notices, and every event is counted.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, test } from "node:test";
import { inspect } from "node:util";

import { Client, keeps, makeId } from "../dist/index.js";
import { milliseconds } from "../dist/time.js";
import { accounted, faultyCollector } from "./collector.mjs";

const FAST = { model: "m", flushIntervalMs: 5, retryDelayMs: 5, retryDelayMaxMs: 20, timeoutMs: 2_000, exitTimeoutMs: 100 };
let collector;
const clients = [];
const warn = console.warn;
let warnings;

beforeEach(async () => {
  collector = await faultyCollector();
  warnings = [];
  console.warn = (message) => warnings.push(message);
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  console.warn = warn;
  await collector.stop();
});

function make(settings = {}) {
  const client = new Client({ url: collector.url, ...FAST, ...settings });
  clients.push(client);
  return client;
}

function log(client, n, fields = {}) {
  return Array.from({ length: n }, (_, x) => client.logPrediction({ features: { x }, prediction: { score: 0.5 }, ...fields }));
}

async function eventually(look) {
  for (const end = Date.now() + 20_000; !look(); await new Promise((resolve) => setTimeout(resolve, 5))) {
    assert.ok(Date.now() < end, JSON.stringify([clients.map((client) => client.stats()), collector.records]));
  }
}

function checked(client) {
  const stats = client.stats();
  assert.equal(accounted(stats), stats.logged, JSON.stringify(stats));
  return stats;
}

for (const plan of [
  [],
  ["away", "away", "away"],
  ["lost", "lost"],
  [500, 503, 502],
  [[429, { "retry-after": "0.05" }], [503, { "retry-after": "0" }]],
  [401, 408],
  ["rubbish"],
  ["lost", 500, "away", [429, { "retry-after": "nonsense" }], "rubbish", "lost"],
]) {
  test(`each event arrives once after ${JSON.stringify(plan)}`, async () => {
    collector.plan = plan;
    const client = make();
    const ids = log(client, 50);
    assert.ok(await client.flush(20_000));
    assert.equal(checked(client).received, 50);
    assert.deepEqual(collector.records.predictions.map(({ event_id }) => event_id).sort(), ids.sort());
    assert.ok(warnings.length <= 1, "one warning, then counts");
  });
}

test("Retry-After is waited for", async () => {
  collector.plan = [[429, { "retry-after": "0.3" }]];
  const client = make();
  const begun = Date.now();
  log(client, 1);
  assert.ok(await client.flush(20_000));
  assert.ok(Date.now() - begun >= 300);
});

test("Retry-After may be a date, and none silences a client for good", () => {
  const [from, until] = [Date.now(), (ms) => new Date(Date.now() + ms).toUTCString()];
  const soon = milliseconds(until(90_000));
  assert.ok(soon > 88_000 - (Date.now() - from) && soon <= 90_000, `${soon}`);
  for (const [header, expected] of [
    [until(-90_000), 0],
    [until(3_600_000), 300_000],
    ["1e9", 300_000],
    ["-5", 0],
    ["0.25", 250],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
  ]) assert.equal(milliseconds(header), expected, `${header}`); // prettier-ignore
});

test("the collector is told how many were lost, once", async () => {
  collector.plan = [422];
  const client = make();
  log(client, 3);
  assert.ok(await client.flush(20_000));
  const told = () => collector.records.measurements ?? [];
  await eventually(() => told().length === 1);
  client.logPrediction(undefined);
  await eventually(() => told().length === 2);
  assert.deepEqual(told().map(({ metric, value }) => [metric, value]), [["windvane.sdk.dropped", 3], ["windvane.sdk.dropped", 1]]);
  assert.match(told()[0].unit_id, /^node\/.+\/\d+$/);
  assert.equal(checked(client).logged, 4, "reports are no events of the caller");
  const silent = make({ reportDrops: false });
  silent.logPrediction(undefined);
  log(silent, 1);
  await silent.close();
  assert.equal(told().length, 2);
});

test("a batch that is too large is split", async () => {
  collector.eventsMax = 7;
  const client = make();
  const ids = log(client, 100);
  assert.ok(await client.flush(20_000));
  assert.deepEqual(collector.records.predictions.map(({ event_id }) => event_id), ids);
  assert.equal(checked(client).received, 100);
});

test("what is refused for good is dropped, and rejected records are counted", async () => {
  collector.plan = [422];
  const client = make();
  log(client, 3);
  assert.ok(await client.flush(20_000));
  log(client, 2);
  log(client, 4, { model: "refused" });
  assert.ok(await client.flush(20_000));
  const stats = checked(client);
  assert.deepEqual([stats.received, stats.rejected, stats.dropped], [2, 4, { refused: 3 }]);
});

for (const onFull of ["drop_newest", "drop_oldest"]) {
  test(`the queue is bounded in bytes: ${onFull}`, async () => {
    collector.always = 500;
    const client = make({ queueBytes: 100_000, onFull });
    const ids = log(client, 3_000);
    await new Promise((resolve) => setImmediate(resolve));
    ids.push(...log(client, 2_000));
    const stats = checked(client);
    assert.ok(stats.queued_bytes <= 100_000 && stats.dropped.queue_full > 4_000);
    collector.always = undefined;
    assert.ok(await client.flush(20_000));
    const arrived = new Set(collector.records.predictions.map(({ event_id }) => event_id));
    assert.equal(arrived.size, checked(client).received);
    const expected = onFull === "drop_oldest" ? ids.slice(-100) : ids.slice(0, 100);
    assert.ok(expected.every((id) => arrived.has(id)));
  });
}

test("giving up is counted, as dropped or as unconfirmed", async () => {
  for (const [fault, dropped, unconfirmed] of [[500, { gave_up: 5 }, 0], ["lost", {}, 5]]) {
    collector.always = fault;
    const client = make({ retryForMs: 50 });
    log(client, 5);
    assert.ok(await client.flush(20_000));
    const stats = checked(client);
    assert.deepEqual([stats.dropped, stats.unconfirmed], [dropped, unconfirmed]);
  }
});

test("a server that takes no connections has received nothing", async () => {
  const { url, stop } = await faultyCollector();
  await stop();
  const client = make({ url, retryForMs: 50 });
  log(client, 5);
  assert.ok(await client.flush(20_000));
  const { dropped, unconfirmed } = checked(client);
  assert.deepEqual([dropped, unconfirmed], [{ gave_up: 5 }, 0]);
  assert.match(warnings[0], /http:\/\/127.0.0.1:\d+ does not answer: TypeError: fetch failed: connect ECONNREFUSED 127.0.0.1:\d+ \(said once/);
});

test("what is wrong with the first record that is rejected is told", async () => {
  const client = make();
  log(client, 1);
  log(client, 2, { model: "refused" });
  assert.ok(await client.flush(20_000));
  assert.match(warnings[0], /the collector rejects 2 of 3 predictions; the first: on purpose \(said once/);
});

test("closing compresses nothing that is not sent", async () => {
  collector.always = "hang";
  const client = make({ batchEvents: 10, timeoutMs: 60_000 });
  log(client, 1_000);
  await eventually(() => collector.hanging === 1);
  const { CompressionStream: Original } = globalThis;
  let compressed = 0;
  globalThis.CompressionStream = class extends Original {
    constructor(format) {
      super(format);
      compressed++;
    }
  };
  await client.close(20);
  globalThis.CompressionStream = Original;
  assert.equal(compressed, 0);
  assert.deepEqual([checked(client).dropped, client.stats().unconfirmed], [{ at_exit: 990 }, 10]);
});

test("closing is bounded and accounts for the rest", async () => {
  collector.always = 500;
  const client = make({ retryDelayMs: 5_000, retryDelayMaxMs: 5_000 });
  log(client, 5);
  const begun = Date.now();
  await client.close(200);
  assert.ok(Date.now() - begun < 2_000);
  log(client, 1);
  assert.deepEqual(checked(client).dropped, { at_exit: 6 });
});

test("closing leaves nothing queued where the server hangs, and an answer that comes late is not counted twice", async () => {
  for (const [batchEvents, unconfirmed, at_exit] of [[100, 5, 0], [2, 2, 3]]) {
    collector.plan = ["hang"];
    collector.hanging = 0;
    const client = make({ batchEvents, timeoutMs: 60_000 });
    log(client, 5);
    const closed = eventually(() => collector.hanging === 1).then(() => client.close(20));
    await closed;
    const stats = checked(client);
    assert.deepEqual([stats.queued, stats.queued_bytes, stats.unconfirmed], [0, 0, unconfirmed]);
    assert.deepEqual(stats.dropped, at_exit ? { at_exit } : {});
    await eventually(() => collector.closed === 1);
    assert.deepEqual(checked(client), stats);
    collector.closed = 0;
  }
});

test("closing at once, while the first batch is being made, loses no count", async () => {
  collector.always = "hang";
  for (let n = 0; n < 20; n++) {
    const client = make({ batchEvents: 3 });
    log(client, 10);
    const flushed = client.flush(1);
    for (let turn = 0; turn < n; turn++) await Promise.resolve();
    await client.close(0);
    const { queued, logged, unconfirmed, dropped } = checked(client);
    assert.deepEqual([queued, logged, unconfirmed + (dropped.at_exit ?? 0)], [0, 10, 10]);
    await flushed;
  }
});

test("no argument throws into user code", async () => {
  const client = make();
  const loop = {};
  loop.self = loop;
  for (const call of [
    () => client.logPrediction({ features: loop }),
    () => client.logPrediction(undefined),
    () => client.logOutcome(undefined),
    () => client.logMeasurement(null),
    () => client.logPrediction({ features: { get x() { throw new Error("no"); } } }),
    () => client.logPrediction({ features: { get x() { throw Object.create(null); } } }),
    () => client.logPrediction({ get event_id() { throw new Error("no"); } }),
    () => client.logOutcome({ get event_id() { throw Symbol("no"); } }),
  ]) call(); // prettier-ignore
  assert.deepEqual(checked(client).dropped, { invalid: 8 });
  assert.equal(client.logPrediction({ features: { big: 10n, vector: 1 }, embeddings: { text: Float32Array.of(0.5) } }).length, 36);
  assert.ok(await client.flush());
  assert.deepEqual(collector.records.predictions[0].embeddings, { text: [0.5] });
});

test("a fault throws nothing that has no text, and nothing of a console that throws", async () => {
  console.warn = () => {
    throw new Error("a program whose warnings are errors");
  };
  for (const thrown of [Object.create(null), Symbol("no text")]) {
    const client = make();
    client.logPrediction({ features: { get x() { throw thrown; } } }); // prettier-ignore
    assert.equal(await client.monitor({}, () => 1, () => { throw thrown; }), 1); // prettier-ignore
    assert.deepEqual(client.assign({ get salt() { throw thrown; } }, "u1"), { outcome: "undefined", arm: null }); // prettier-ignore
    assert.deepEqual(checked(client).dropped, { invalid: 1 });
    await assert.rejects(client.monitor(undefined, () => { throw new TypeError("the function's own"); }), /the function's own/); // prettier-ignore
  }
});

test("wrong settings are told at the start", () => {
  for (const settings of [{ sampleRate: 2 }, { onFull: "block" }]) {
    assert.throws(() => make(settings), /sampleRate|onFull/, JSON.stringify(settings));
  }
  for (const url of ["ftp://x", "nonsense", "http://", "http://h:99999", "http://h/?model=m", "http://h/#m", undefined, 5]) {
    assert.throws(() => make({ url }), { message: `url is ${url}; accepted is http://HOST:PORT or https://HOST:PORT` });
  }
  for (const [name, value] of [["queueBytes", NaN], ["batchEvents", 0], ["batchBytes", -1], ["timeoutMs", -1], ["flushIntervalMs", NaN]]) {
    assert.throws(() => make({ [name]: value }), new RegExp(`^RangeError: ${name} is ${value}; accepted are numbers from [01]$`));
  }
});

test("a user and a password in the address are refused, and no secret is told", () => {
  for (const url of ["http://user:s3cret@h:1", "https://s3cret@h", "ftp://user:s3cret@h", "user:s3cret@h:1", "http://user:s3/s3cret@h", "http://s3cret:x@h:y"]) {
    assert.throws(() => make({ url }), (error) => /^url is .*…@h.*; accepted is http:/.test(error.message) && !inspect(error).includes("s3cret"), url);
  }
  for (const token of ["s3cret\n", "s3cret and more", "s3crét", ""]) {
    assert.throws(() => make({ token }), (error) => /^token is empty, or has/.test(error.message) && !inspect(error).includes("s3cr"), token);
  }
});

test("an address may be a URL, and end with a slash; no token may be null", async () => {
  const client = make({ url: new URL(collector.url), token: null });
  log(client, 1);
  assert.ok(await client.flush());
  assert.deepEqual([collector.requests[0].kind, collector.requests[0].authorization], ["predictions", undefined]);
});

test("the longest times are waited for, not passed over", async () => {
  collector.plan = [500];
  const forever = { timeoutMs: Infinity, retryForMs: Infinity, retryDelayMaxMs: Infinity, exitTimeoutMs: Infinity };
  const client = make(forever);
  log(client, 3);
  assert.ok(await client.flush(Infinity));
  assert.equal(checked(client).received, 3);
});

test("an experiment that cannot be dealt out has no arm, and throws nothing", async () => {
  const client = make();
  for (const definition of [undefined, { salt: "s" }, { salt: "", arms: [] }, { salt: "s", arms: [{ arm: "A", weight: 0 }] }]) {
    assert.deepEqual(client.assign(definition, "u1"), { outcome: "undefined", arm: null });
  }
  assert.match(warnings[0], /cannot assign/);
  const definition = { salt: "s", arms: [{ arm: "A", weight: 1 }] };
  for (const unit of [undefined, null, 42]) assert.deepEqual(client.assign(definition, unit), { outcome: "undefined", arm: null });
  assert.equal(client.assign(definition, "u1").arm, "A");
  assert.ok(await client.flush());
  assert.equal(collector.records.exposures.length, 1);
});

test("ids are made where there is no global crypto, as in Node 18", async () => {
  const code = `
    Object.defineProperty(globalThis, "crypto", { value: undefined });
    const { Client } = await import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)});
    const client = new Client({ url: ${JSON.stringify(collector.url)}, model: "m" });
    for (let n = 0; n < 100; n++) client.logPrediction({});
    await client.close(20_000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "ignore", "inherit"] });
  assert.deepEqual(await once(child, "exit"), [0, null]);
  const ids = collector.records.predictions.map(({ event_id }) => event_id);
  assert.equal(new Set(ids).size, 100);
  for (const id of ids) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const ms = parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
    assert.ok(Math.abs(ms - Date.now()) < 60_000, "an id begins with its time");
  }
});

test("a sample keeps a prediction and its outcome together", async () => {
  const client = make({ sampleRate: 0.25 });
  const ids = log(client, 400);
  for (const event_id of ids) client.logOutcome({ event_id, label: "late" });
  assert.ok(await client.flush());
  const of = (kind) => new Set(collector.records[kind].map(({ event_id }) => event_id));
  assert.deepEqual(of("predictions"), of("outcomes"));
  assert.deepEqual(of("predictions"), new Set(ids.filter((id) => keeps(id, 0.25))));
  const { sampled_out, logged } = checked(client);
  assert.equal(sampled_out + logged, 800);
});

test("redaction runs before anything is queued", async () => {
  const client = make({
    redact: (record) => {
      if (record.features.x === 1) return null;
      if (record.features.x === 2) throw new Error("a fault in the redaction");
      return { ...record, features: { x: "hidden" } };
    },
  });
  log(client, 3);
  assert.ok(await client.flush());
  assert.deepEqual(collector.records.predictions.map(({ features }) => features), [{ x: "hidden" }]);
  assert.deepEqual(checked(client).dropped, { redacted: 1, invalid: 1 });
});

test("a clock that was set, or went on while the machine slept, is followed", async () => {
  const client = make();
  const wall = Date.now;
  try {
    for (const apart of [8 * 3_600_000, 0]) {
      Date.now = () => wall() + apart;
      log(client, 1);
    }
  } finally {
    Date.now = wall;
  }
  assert.ok(await client.flush());
  const [later, back] = collector.records.predictions.map(({ ts }) => ts / 1000 - wall());
  assert.ok(Math.abs(later - 8 * 3_600_000) < 60_000 && Math.abs(back) < 60_000, `${later} ${back}`);
});

test("ids rise within a millisecond, and where the clock goes back", () => {
  const wall = Date.now;
  const many = (n) => Array.from({ length: n }, makeId);
  const ids = many(20_000);
  try {
    Date.now = () => wall() - 3_600_000;
    ids.push(...many(10_000));
  } finally {
    Date.now = wall;
  }
  ids.push(...many(10_000));
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(ids.findIndex((id, at) => at > 0 && id <= ids[at - 1]), -1);
});

test("defaults and tags add up, and ids are of version 7", async () => {
  const client = make({ version: "1", environment: "prod", tags: { region: "east" }, token: "secret" });
  log(client, 1, { version: "2", tags: { page: "cart" } });
  assert.ok(await client.flush());
  const [record] = collector.records.predictions;
  assert.deepEqual([record.version, record.environment, record.tags], ["2", "prod", { region: "east", page: "cart" }]);
  assert.ok(Math.abs(record.ts / 1000 - Date.now()) < 60_000);
  assert.match(record.event_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(collector.requests[0].authorization, "Bearer secret");
});

test("half of a surrogate pair and a fraction of a microsecond cost no record", async () => {
  const client = make();
  const features = { half: "a\ud800", whole: "😀", escaped: "\\ud800", ["half\udfff"]: 1, nan: NaN };
  client.logPrediction({ features, tags: { t: "\udc00b" }, ts: 1_356_998_400_123_456.25 });
  assert.ok(await client.flush());
  const [record] = collector.records.predictions;
  assert.deepEqual(record.features, { half: "a?", whole: "😀", escaped: "\\ud800", "half?": 1, nan: null });
  assert.deepEqual([record.tags.t, record.ts], ["?b", 1_356_998_400_123_456]);
});

test("a field that is undefined is one that was left out", async () => {
  const client = make({ version: "1", environment: "prod" });
  const nothing = { model: undefined, version: undefined, environment: undefined, event_id: undefined, ts: undefined, tags: undefined };
  const event_id = client.logPrediction({ ...nothing, unit_id: undefined });
  client.logOutcome({ ...nothing, event_id, label: "late" });
  client.logExposure({ experiment: "e", unit_id: "u", arm: "A", event_id: undefined });
  client.logMeasurement({ unit_id: "u", metric: "m", value: 1, event_id: undefined });
  assert.ok(await client.flush());
  const { predictions, outcomes, exposures, measurements } = collector.records;
  const { ts, ...rest } = predictions[0];
  assert.deepEqual(rest, { model: "m", event_id, version: "1", environment: "prod" });
  assert.ok(Number.isInteger(ts));
  assert.equal(outcomes[0].model, "m");
  for (const [record] of [exposures, measurements]) assert.equal(record.event_id.length, 36);
});

test("a monitored function is timed, and what it throws goes on", async () => {
  const client = make();
  assert.equal(await client.monitor({ features: { x: 1 } }, () => 12.5), 12.5);
  assert.equal(await client.monitor({ features: { x: 2 } }, async () => [0.1, 0.9], ([, score]) => ({ score })).then(String), "0.1,0.9");
  await assert.rejects(client.monitor({ features: { x: 3 } }, () => { throw new TypeError("broken"); }), /broken/); // prettier-ignore
  assert.ok(await client.flush());
  const [first, second, third] = collector.records.predictions;
  assert.deepEqual([first.prediction, second.prediction], [{ value: 12.5 }, { score: 0.9 }]);
  assert.deepEqual([third.status, third.tags], ["error", { error: "TypeError" }]);
  assert.ok(first.latency_us >= 0);
});

test("of what a function answers the answer alone is logged", async () => {
  const client = make();
  const label = { label: "late", probabilities: { late: 0.7, on_time: 0.3 } };
  for (const [result, prediction] of [
    [{ score: 0.5, took_ms: 3, model: "inner" }, { score: 0.5 }],
    [{ ...label, id: 7 }, label],
    [{ label: "late", probabilities: [0.7, 0.3] }, { label: "late" }],
    [{ label: "late", probabilities: { late: "likely" } }, { label: "late" }],
    [{ label: "late", value: "high" }, { label: "late" }],
    [{ value: [1, 2] }, undefined],
    ["late", { label: "late" }],
    [null, undefined],
  ]) {
    assert.equal(await client.monitor({}, () => result), result);
    assert.ok(await client.flush());
    assert.deepEqual(collector.records.predictions.at(-1).prediction, prediction, JSON.stringify(result));
  }
});

test("a process that ends by itself sends what it has, and is not held up by a server that is away", async () => {
  const code = (url, exitTimeoutMs, end) => `
    import { Client } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
    const client = new Client({ url: ${JSON.stringify(url)}, model: "m", exitTimeoutMs: ${exitTimeoutMs} });
    client.logPrediction({ features: { x: 1 } }); ${end}`;
  const away = "http://127.0.0.1:9";
  for (const [url, limit, end] of [[collector.url, 20_000, ""], [away, 300, ""], [away, 1_000, "await client.close();"]]) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", code(url, limit, end)], { stdio: "ignore" });
    const [status] = await once(child, "exit");
    assert.equal(status, 0);
  }
  assert.equal(collector.records.predictions.length, 1);
});
