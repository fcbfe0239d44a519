// Threads and processes of Node: each has clients of its own, whose ids are of no other, and none of them loses what it logged by its end.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { faultyCollector } from "./collector.mjs";

const EACH = 300;
let collector;
let dir;

beforeEach(async () => {
  collector = await faultyCollector();
  dir = mkdtempSync(join(tmpdir(), "windvane-processes-"));
});

afterEach(async () => {
  rmSync(dir, { recursive: true });
  await collector.stop();
});

/** Runs a program that finds `Client`, `client` and `log`, and answers what it wrote to stderr. */
async function run(code, expected = 0) {
  const program = `
    import { Client } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
    const client = new Client({ url: ${JSON.stringify(collector.url)}, model: "m", exitTimeoutMs: 20_000 });
    const log = (who) => {
      for (let x = 0; x < ${EACH}; x++) client.logPrediction({ features: { x, who } });
    };`;
  writeFileSync(join(dir, "program.mjs"), program + code);
  const child = spawn(process.execPath, [join(dir, "program.mjs")], { stdio: ["ignore", "inherit", "pipe"] });
  let said = "";
  child.stderr.on("data", (part) => (said += part));
  assert.deepEqual(await once(child, "close"), [expected, null], said);
  return said;
}

/** Each of those who logged has all of its events here, once, and its batches rise in order. */
function check(who) {
  const { predictions } = collector.records;
  assert.equal(new Set(predictions.map(({ event_id }) => event_id)).size, predictions.length);
  assert.equal(new Set(collector.requests.map(({ key }) => key)).size, collector.requests.length);
  assert.deepEqual([...new Set(predictions.map(({ features }) => features.who))].sort(), who);
  for (const one of who) {
    const of = predictions.filter(({ features }) => features.who === one);
    assert.deepEqual(of.map(({ features }) => features.x), Array.from({ length: EACH }, (_, x) => x), one);
    assert.ok(of.every(({ event_id }, at) => at === 0 || event_id > of[at - 1].event_id), "ids of a thread rise");
  }
}

const THREADS = `
  import { once } from "node:events";
  import { Worker, isMainThread, workerData } from "node:worker_threads";
  log(isMainThread ? "main" : workerData);
  const ended = ["a", "b", "c"].map((who) => isMainThread && once(new Worker(new URL(import.meta.url), { workerData: who }), "exit"));
  await Promise.all(ended);`;

test("threads lose and repeat nothing: those that end by themselves, and those that close before process.exit", async () => {
  for (const end of ["", "await client.close(); process.exit();"]) {
    collector.records = {};
    assert.equal(await run(THREADS + end), "");
    check(["a", "b", "c", "main"]);
  }
});

test("workers of a cluster lose and repeat nothing when they are disconnected, nor does their primary", async () => {
  const said = await run(`
    import cluster from "node:cluster";
    import { once } from "node:events";
    log(cluster.isPrimary ? "main" : process.env.WHO);
    if (cluster.isPrimary) {
      const workers = ["a", "b", "c"].map((WHO) => cluster.fork({ WHO }));
      await Promise.all(workers.map((worker) => once(worker, "message")));
      cluster.disconnect();
      const codes = await Promise.all(workers.map((worker) => once(worker, "exit")));
      if (codes.some(([code]) => code !== 0)) throw new Error(codes.join());
    } else process.send("logged");`);
  assert.equal(said, "");
  check(["a", "b", "c", "main"]);
});

test("workers that are told to end by SIGTERM send what they have where they close, as the documentation says", async () => {
  const said = await run(`
    import cluster from "node:cluster";
    import { once } from "node:events";
    if (cluster.isPrimary) {
      const workers = ["a", "b", "c"].map((WHO) => cluster.fork({ WHO }));
      await Promise.all(workers.map((worker) => once(worker, "message")));
      for (const worker of workers) worker.process.kill("SIGTERM");
      await Promise.all(workers.map((worker) => once(worker, "exit")));
    } else {
      process.once("SIGTERM", async () => {
        await client.close();
        process.exit();
      });
      log(process.env.WHO);
      process.send("logged");
    }`);
  assert.equal(said, "");
  check(["a", "b", "c"]);
});

test("process.exit, and an error that nobody catches, tell how many events they lose", async () => {
  const lost = new RegExp(`the process ends with ${2 * EACH} events that were not sent; await client.close\\(\\)`);
  const second = 'const other = new Client({ url: "http://127.0.0.1:9", model: "m" }); for (let x = 0; x < 300; x++) other.logPrediction({});';
  assert.match(await run(`log("a"); ${second} process.exit();`), lost);
  assert.match(await run(`log("a"); ${second} client.close(); process.exit();`), lost, "a close that nobody waits for");
  assert.match(await run(`log("a"); ${second} throw new Error("nobody's");`, 1), lost);
  assert.equal(await run(`log("a"); await client.flush(20_000); process.exit();`), "");
});

test("what process.exit leaves goes to the spool, and the next process sends it once", async () => {
  const spool = `
    import { Spool } from ${JSON.stringify(new URL("../dist/spool.js", import.meta.url).href)};
    const settings = { url: ${JSON.stringify(collector.url)}, model: "m", exitTimeoutMs: 20_000 };
    const kept = new Client({ ...settings, spool: new Spool({ dir: ${JSON.stringify(join(dir, "spool"))} }) });
    const logKept = (who) => {
      for (let x = 0; x < ${EACH}; x++) kept.logPrediction({ features: { x, who } });
    };`;
  const turns = (n) => `for (let turn = 0; turn < ${n}; turn++) await new Promise((resolve) => setImmediate(resolve));`;
  const ends = {
    "at once": "process.exit();",
    "a close that nobody waits for": "kept.close(); process.exit();",
    "in the middle": `kept.close(); ${turns(3)} process.exit();`,
    "thrown": "throw new Error();",
  };
  for (const [who, end] of Object.entries(ends)) {
    assert.doesNotMatch(await run(`${spool} logKept(${JSON.stringify(who)}); ${end}`, who === "thrown" ? 1 : 0), /were not sent/, who);
  }
  assert.equal(await run(`${spool} logKept("last"); await kept.flush(20_000); await kept.close();`), "");
  const { predictions } = collector.records;
  assert.equal(new Set(predictions.map(({ event_id }) => event_id)).size, predictions.length, "nothing is there twice");
  for (const who of [...Object.keys(ends), "last"]) {
    assert.equal(predictions.filter(({ features }) => features.who === who).length, EACH, who);
  }
});

test("a spool without room says what is lost at process.exit", async () => {
  const said = await run(`
    import { Spool } from ${JSON.stringify(new URL("../dist/spool.js", import.meta.url).href)};
    const spool = new Spool({ dir: ${JSON.stringify(join(dir, "spool"))}, bytes: 1 });
    const kept = new Client({ url: "http://127.0.0.1:9", model: "m", spool });
    for (let x = 0; x < 3; x++) kept.logPrediction({});
    process.exit();`);
  assert.match(said, /the process ends with 3 events that were not sent/);
});

test("many clients are no leak to Node, and all of them end", async () => {
  const said = await run(`
    const clients = Array.from({ length: 30 }, () => new Client({ url: ${JSON.stringify(collector.url)}, model: "m", exitTimeoutMs: 20_000 }));
    for (const each of clients) each.logPrediction({ features: { x: 0 } });
    const before = process.listenerCount("beforeExit");
    process.on("exit", () => {
      if (before !== 1 || process.listenerCount("beforeExit") !== 0) throw new Error("a listener each, or none was removed");
    });`);
  assert.equal(said, "");
  assert.equal(collector.records.predictions.length, 30);
});
