// What the README shows, run as it stands there.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { faultyCollector } from "./collector.mjs";

test("the README's code runs verbatim", async () => {
  const collector = await faultyCollector();
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, code] = readme.match(/```js\n([\s\S]*?)```/);
  const here = code
    .replace("http://127.0.0.1:8080", collector.url)
    .replace('"windvane"', JSON.stringify(new URL("../dist/index.js", import.meta.url).href));
  const log = console.log;
  let printed;
  console.log = (...words) => (printed = words);
  await import(`data:text/javascript,${encodeURIComponent(here)}`);
  console.log = log;
  assert.equal(printed[0].received, 4);
  assert.equal(printed[1], "B");
  const { predictions, outcomes, exposures, measurements } = collector.records;
  assert.equal(outcomes[0].event_id, predictions[0].event_id);
  assert.deepEqual([exposures[0].arm, measurements[0].value], ["B", 12.5]);
  await collector.stop();
});
