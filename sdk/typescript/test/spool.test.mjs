// Batches on disk: what the server does not take waits there, for this process or for the next one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { gzipSync } from "node:zlib";

import { Client, makeId } from "../dist/index.js";
import { Spool } from "../dist/spool.js";
import { accounted, faultyCollector } from "./collector.mjs";

const FAST = { model: "m", flushIntervalMs: 5, retryDelayMs: 5, retryDelayMaxMs: 20, timeoutMs: 2_000, exitTimeoutMs: 200 };
const warn = console.warn;
const clients = [];
let collector;
let dir;

beforeEach(async () => {
  collector = await faultyCollector();
  dir = mkdtempSync(join(tmpdir(), "windvane-spool-"));
  console.warn = () => undefined;
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  console.warn = warn;
  rmSync(dir, { recursive: true });
  await collector.stop();
});

function make(settings = {}, bytes = undefined) {
  const client = new Client({ url: collector.url, ...FAST, spool: new Spool({ dir, bytes }), ...settings });
  clients.push(client);
  return client;
}

function log(client, n) {
  return Array.from({ length: n }, (_, x) => client.logPrediction({ features: { x }, prediction: { score: 0.5 } }));
}

function files(ending) {
  return readdirSync(dir, { recursive: true }).filter((name) => name.endsWith(ending)).map((name) => join(dir, name));
}

function checked(client) {
  const stats = client.stats();
  assert.equal(accounted(stats), stats.logged + stats.adopted, JSON.stringify(stats));
  return stats;
}

async function eventually(look) {
  const deadline = Date.now() + 20_000;
  while (!look()) {
    assert.ok(Date.now() < deadline, "still not so after 20 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A folder as a process that is gone left it. */
function left(owner, names) {
  const folder = join(dir, makeId());
  mkdirSync(folder);
  writeFileSync(join(folder, "owner.json"), JSON.stringify(owner));
  for (const [name, body] of names) writeFileSync(join(folder, name), body);
  return folder;
}

async function run(code) {
  const start = `
    import { Client } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
    import { Spool } from ${JSON.stringify(new URL("../dist/spool.js", import.meta.url).href)};
    const client = new Client({ url: ${JSON.stringify(collector.url)}, ...${JSON.stringify({ ...FAST, retryDelayMs: 100, exitTimeoutMs: 20_000 })}, spool: new Spool({ dir: ${JSON.stringify(dir)} }) });
    for (let x = 0; x < 30; x++) client.logPrediction({ features: { x }, prediction: { score: 0.5 } });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", start + code], { stdio: "ignore" });
  return once(child, "exit");
}

for (const [end, code] of [["by itself", ""], ["by close", "await client.close(); process.exit(0);"]]) {
  test(`what a process that ended ${end} could not send is sent by the next one, once`, async () => {
    collector.always = "lost"; // stored without an answer: the next process must not store it again
    assert.deepEqual(await run(code), [0, null]);
    assert.equal(collector.records.predictions.length, 30);
    assert.equal(files(".ndjson.gz").reduce((sum, path) => sum + Number(path.split(".").at(-3)), 0), 30);
    collector.always = undefined;
    const client = make({ exitTimeoutMs: 20_000 });
    log(client, 1);
    await eventually(() => client.stats().received === 31);
    const { adopted, spooled } = checked(client);
    assert.deepEqual([adopted, spooled, collector.records.predictions.length], [30, 0, 31]);
    await client.close();
    assert.deepEqual(readdirSync(dir), []);
  });
}

test("what a killed process had on disk is sent by the next one", async () => {
  collector.always = 500;
  const ended = await run("setInterval(() => client.stats().spooled === 30 && process.kill(process.pid, 'SIGKILL'), 5);");
  assert.deepEqual(ended, [null, "SIGKILL"]);
  collector.always = undefined;
  const client = make();
  log(client, 1);
  await eventually(() => collector.records.predictions?.length === 31);
  assert.equal(checked(client).adopted, 30);
});

test("the disk takes what memory would have to drop", async () => {
  collector.always = 500;
  const client = make({ queueBytes: 60_000 });
  const ids = [];
  for (let part = 0; part < 20; part++) {
    ids.push(...log(client, 100));
    await eventually(() => client.stats().queued === 0);
  }
  const { spooled, dropped } = checked(client);
  assert.deepEqual([spooled, dropped], [2_000, {}]);
  collector.always = undefined;
  await eventually(() => checked(client).received === 2_000);
  assert.deepEqual(collector.records.predictions.map(({ event_id }) => event_id).sort(), ids.sort());
  await eventually(() => files(".gz").length === 0);
});

test("the disk's share is bounded", async () => {
  collector.always = 500;
  const client = make({ queueBytes: 20_000 }, 2_000);
  for (let part = 0; part < 20; part++) {
    log(client, 150);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => client.stats().spooled > 0);
  assert.ok(files(".gz").reduce((sum, path) => sum + statSync(path).size, 0) <= 2_000);
  assert.ok(checked(client).dropped.queue_full > 0);
  await client.close();
  await eventually(() => checked(client).queued === 0);
});

test("a server that hangs at the end leaves everything to the disk", async () => {
  collector.always = "hang";
  const client = make({ timeoutMs: 60_000 });
  log(client, 5);
  await eventually(() => collector.hanging > 0);
  log(client, 3);
  await client.close(50);
  const { spooled, queued, dropped } = checked(client);
  assert.deepEqual([spooled, queued, dropped], [8, 0, {}]);
  assert.equal(files(".ndjson.gz").reduce((sum, path) => sum + Number(path.split(".").at(-3)), 0), 8);
});

test("a batch that is not whole on disk is set aside and counted", async () => {
  const body = gzipSync('{"model":"m"}\n'.repeat(10));
  const name = () => `${makeId()}.predictions.10.ndjson.gz`;
  left({ host: hostname(), pid: 2 ** 30 }, [[name(), body], [name(), body.subarray(0, -9)], [name(), gzipSync("{}\n")]]);
  const client = make();
  log(client, 1);
  await eventually(() => client.stats().received === 11 && client.stats().spooled === 0);
  const { adopted, dropped } = checked(client);
  assert.deepEqual([adopted, dropped], [30, { damaged: 20 }]);
  await eventually(() => files(".damaged").length === 2); // counted first, set aside next
});

test("a file that unpacks to far more than a batch has is set aside, and not taken into memory", async () => {
  const member = gzipSync(Buffer.alloc(2 ** 20, "\n"));
  const many = Buffer.concat(Array(257).fill(member));
  left({ host: hostname(), pid: 2 ** 30 }, [[`${makeId()}.predictions.10.ndjson.gz`, many]]);
  const before = process.memoryUsage().arrayBuffers;
  const client = make();
  log(client, 1);
  await eventually(() => client.stats().received === 1 && client.stats().spooled === 0);
  assert.deepEqual(checked(client).dropped, { damaged: 10 });
  await eventually(() => files(".damaged").length === 1);
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 26);
});

test("a batch on disk that is too large is split", async () => {
  collector.always = 500;
  const first = make();
  log(first, 30);
  await eventually(() => first.stats().spooled === 30);
  await first.close();
  collector.always = undefined;
  collector.eventsMax = 4;
  const next = make({ exitTimeoutMs: 20_000 });
  log(next, 1);
  await eventually(() => next.stats().received === 31);
  const { adopted, spooled, dropped } = checked(next);
  assert.deepEqual([adopted, spooled, dropped], [30, 0, {}]);
  assert.equal(new Set(collector.records.predictions.map(({ event_id }) => event_id)).size, 31);
  assert.equal(collector.records.predictions.length, 31);
  await next.close();
  assert.deepEqual(readdirSync(dir), []);
});

test("halves beside their batch are not sent", async () => {
  const key = makeId();
  const of = (ending, n) => [`${key}${ending}.predictions.${n}.ndjson.gz`, gzipSync('{"model":"m"}\n'.repeat(n))];
  left({ host: hostname(), pid: 2 ** 30 }, [of("", 10), of("-0", 5), of("-1-0", 2)]);
  const client = make();
  log(client, 1);
  await eventually(() => client.stats().received === 11 && client.stats().spooled === 0);
  assert.deepEqual([checked(client).adopted, collector.records.predictions.length], [10, 11]);
  await eventually(() => files(".ndjson.gz").length === 0);
});

test("a disk that has no room for halves keeps the batch", async () => {
  const kept = { path: "none", key: makeId(), kind: "predictions", events: 2, bytes: 1 };
  const none = async () => undefined;
  let asked = 0;
  const halve = async () => {
    asked++;
    throw new Error("no space left");
  };
  const read = async () => new Uint8Array(gzipSync('{"model":"m"}\n'.repeat(2)));
  const spool = { events: 2, open: none, add: async () => false, oldest: () => kept, read, halve, delete: assert.fail, close: none };
  collector.eventsMax = 1;
  const client = make({ spool });
  log(client, 1);
  await eventually(() => asked > 1);
  assert.deepEqual([checked(client).spooled, client.stats().received], [2, 1]);
});

test("folders of others, and of the living, are left alone", async () => {
  const of = (host, pid) => left({ host, pid }, [[`${makeId()}.predictions.1.ndjson.gz`, gzipSync('{"model":"m"}\n')]]);
  const living = of(hostname(), process.ppid);
  const anotherThreads = of(hostname(), process.pid);
  const elsewhere = of("another", 1);
  const [silent, before] = [of("a third", 1), of(hostname(), process.pid)];
  const long = new Date(Date.now() - 3_600_000);
  for (const folder of [silent, before]) utimesSync(join(folder, "owner.json"), long, long);
  mkdirSync(join(dir, "photos"));
  writeFileSync(join(dir, "photos", "precious.txt"), "mine");
  const client = make({ exitTimeoutMs: 20_000 });
  log(client, 1);
  await eventually(() => collector.records.predictions?.length === 3);
  assert.equal(checked(client).adopted, 2, "of the folders that nobody has touched for an hour");
  await client.close();
  assert.deepEqual(readdirSync(dir).sort(), [living, anotherThreads, elsewhere].map((path) => path.slice(dir.length + 1)).concat("photos").sort());
  assert.equal(readFileSync(join(dir, "photos", "precious.txt"), "utf8"), "mine");
});

test("a client that closed leaves its folder to the next one of the same process", async () => {
  collector.always = 500;
  const first = make();
  log(first, 1);
  await eventually(() => first.stats().spooled === 1);
  await first.close();
  collector.always = undefined;
  const next = make();
  log(next, 1);
  await eventually(() => next.stats().received === 2);
  assert.equal(checked(next).adopted, 1);
});

test("a disk that fails is like one that is full", async () => {
  collector.always = 500;
  const none = async () => undefined;
  const spool = { events: 0, open: none, add: () => Promise.reject(new Error("broken")), oldest: () => undefined, close: none };
  const client = make({ spool });
  log(client, 1);
  assert.equal(await client.flush(100), false);
  await client.close();
  await eventually(() => checked(client).queued === 0);
  assert.deepEqual(client.stats().dropped, { at_exit: 1 });
});

test("a folder that cannot be written only warns", async () => {
  writeFileSync(join(dir, "file"), "no folder");
  const client = make({ spool: new Spool({ dir: join(dir, "file") }) });
  log(client, 1);
  assert.ok(await client.flush());
  assert.equal(checked(client).received, 1);
  assert.throws(() => new Spool({ dir: "" }), /dir/);
  assert.throws(() => new Spool({ dir, bytes: 0 }), /bytes/);
});
