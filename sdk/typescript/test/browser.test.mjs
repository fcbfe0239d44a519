// What a page needs: nothing of Node in what `windvane` imports, and events that leave when the page is hidden.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { accounted, faultyCollector } from "./collector.mjs";

const DIST = new URL("../dist/", import.meta.url);

/** The files that one imports, itself included. */
function imported(name, seen = new Map()) {
  if (seen.has(name)) return seen;
  const text = readFileSync(new URL(name, DIST), "utf8");
  seen.set(name, text);
  for (const [, path] of text.matchAll(/from "\.\/([a-z0-9]+\.js)"/g)) imported(path, seen);
  return seen;
}

test("what a page imports is free of Node's modules", () => {
  const files = imported("index.js");
  assert.ok(files.has("sender.js") && files.has("sha256.js"), [...files.keys()].join());
  for (const [name, text] of files) assert.doesNotMatch(text, /from "node:|import\("node:|require\(/, name);
  assert.match(imported("spool.js").get("spool.js"), /from "node:fs/, "the search finds them where they are");
});

/** Runs a module that has the globals of a page and no `process`, and answers what it says with `tell`. */
async function page(url, code) {
  const start = `
    const listeners = {};
    const asked = [];
    const send = globalThis.fetch;
    globalThis.fetch = (url, options) => {
      asked.push({ key: options.headers["idempotency-key"], keepalive: options.keepalive, bytes: options.body.length });
      return send(url, options);
    };
    globalThis.addEventListener = (name, listener) => (listeners[name] = listener);
    globalThis.removeEventListener = (name) => delete listeners[name];
    globalThis.document = { ...globalThis, visibilityState: "visible" };
    const tell = ((print) => (said) => print(JSON.stringify(said)))(console.log);
    console.warn = () => undefined;
    globalThis.process = undefined;
    const { Client } = await import(${JSON.stringify(new URL("index.js", DIST).href)});
    const settings = { url: ${JSON.stringify(url)}, model: "m", flushIntervalMs: 60_000, retryDelayMs: 5, retryDelayMaxMs: 20 };
    const client = new Client(settings);
    const log = (n, fields) => Array.from({ length: n }, (_, x) => client.logPrediction({ features: { x }, ...fields }));
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", start + code], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (part) => (printed += part));
  assert.deepEqual(await once(child, "close"), [0, null]);
  return JSON.parse(printed);
}

test("a page that is hidden has asked before its listener returns, in requests that outlive it", async () => {
  for (const hide of ["listeners.pagehide();", 'document.visibilityState = "hidden"; listeners.visibilitychange();']) {
    const collector = await faultyCollector();
    const code = `
      log(3);
      client.logOutcome({ event_id: "e1", label: "late" });
      listeners.visibilitychange(); // of a page that is seen
      const before = asked.length;
      ${hide}
      const during = asked.map(({ keepalive }) => keepalive);
      await client.flush();
      await client.close();
      tell({ before, during, stats: client.stats(), left: Object.keys(listeners) });`;
    const { before, during, stats, left } = await page(collector.url, code);
    assert.deepEqual([before, during, left], [0, [true, true], []]);
    assert.deepEqual([stats.received, stats.queued, accounted(stats)], [4, 0, stats.logged]);
    assert.deepEqual([collector.records.predictions.length, collector.records.outcomes.length], [3, 1]);
    await collector.stop();
  }
});

test("what outlives a page stays within what browsers allow, and the rest is sent if the page lives on", async () => {
  const collector = await faultyCollector();
  const code = `
    log(1_000, { unit_id: "u".repeat(100) });
    log(1, { unit_id: "u".repeat(200_000) });
    listeners.pagehide();
    listeners.pagehide();
    const during = asked.filter(({ keepalive }) => keepalive).reduce((sum, { bytes }) => sum + bytes, 0);
    await client.flush();
    tell({ during, stats: client.stats() });`;
  const { during, stats } = await page(collector.url, code);
  assert.ok(during > 50_000 && during <= 60_000, `${during} bytes`);
  assert.deepEqual([stats.received, stats.queued, accounted(stats)], [1_001, 0, stats.logged]);
  assert.equal(new Set(collector.records.predictions.map(({ event_id }) => event_id)).size, 1_001);
  await collector.stop();
});

test("what a page sent when it was hidden and was not taken is tried again under its key, or counted", async () => {
  const collector = await faultyCollector();
  collector.plan = ["lost", 500];
  const again = await page(collector.url, `
    log(3);
    listeners.pagehide();
    await client.flush();
    tell({ keys: asked.map(({ key }) => key), stats: client.stats() });`); // prettier-ignore
  assert.deepEqual([again.keys.length, new Set(again.keys).size, again.stats.received], [3, 1, 3]);
  assert.equal(collector.records.predictions.length, 3);
  collector.plan = [413];
  collector.eventsMax = 2;
  const split = await page(collector.url, "log(3); listeners.pagehide(); await client.flush(); tell(client.stats());");
  assert.deepEqual([split.received, split.queued, accounted(split)], [3, 0, 3]);
  collector.plan = ["hang"];
  const closed = await page(collector.url, "log(3); listeners.pagehide(); await client.close(50); tell(client.stats());");
  assert.deepEqual([closed.unconfirmed, closed.queued, accounted(closed)], [3, 0, 3]);
  await collector.stop();
});
