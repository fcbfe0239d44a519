// What a page needs: nothing of Node in what `windvane` imports, and events that leave when the page is hidden.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { faultyCollector } from "./collector.mjs";

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

test("a page that is hidden sends what it has, in requests that outlive it", async () => {
  const collector = await faultyCollector();
  const code = `
    const listeners = {};
    const kept = [];
    const send = globalThis.fetch;
    globalThis.fetch = (url, options) => (kept.push(options.keepalive), send(url, options));
    globalThis.addEventListener = (name, listener) => (listeners[name] = listener);
    globalThis.document = {};
    const print = console.log;
    globalThis.process = undefined;
    const { Client } = await import(${JSON.stringify(new URL("index.js", DIST).href)});
    const client = new Client({ url: ${JSON.stringify(collector.url)}, model: "m", flushIntervalMs: 60_000 });
    client.logPrediction({ features: { x: 1 } });
    listeners.pagehide();
    await client.flush();
    print(JSON.stringify([kept, client.stats().received]));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (part) => (printed += part));
  await once(child, "close");
  assert.deepEqual(JSON.parse(printed), [[true], 1]);
  assert.equal(collector.records.predictions.length, 1);
  await collector.stop();
});
