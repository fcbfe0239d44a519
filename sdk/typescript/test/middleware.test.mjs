// Express and Fastify, the real ones: a request is a prediction.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import express from "express";
import fastify from "fastify";

import { windvane as forExpress } from "../dist/express.js";
import { windvane as forFastify } from "../dist/fastify.js";
import { Client } from "../dist/index.js";
import { faultyCollector } from "./collector.mjs";

const ROUTES = {
  "/predict": { model: "delay", version: "7", unitId: (request) => request.tail },
  "/list": { model: "delay" },
  "/slow": { model: "slow" },
  "/odd": { model: "delay", answer: () => { throw new Error("a fault in the route"); } }, // prettier-ignore
};

const JSON_ = { "content-type": "application/json" };
/** The route `/slow` calls this when it was reached, and then says nothing for as long as somebody listens. */
const slow = { begun: () => undefined };

async function exchange(url) {
  const post = (path, body) => fetch(`${url}${path}`, { method: "POST", headers: JSON_, body: JSON.stringify(body) });
  const ids = [];
  for (const [path, body] of [
    ["/predict", { distance: 1400, carrier: "UA", tail: "N1", nested: { a: 1 } }],
    ["/predict", { distance: -1 }],
    ["/odd", { distance: 1 }],
    ["/list", [1, 2, 3]],
    ["/other", {}],
  ]) {
    const response = await post(path, body);
    await response.text();
    ids.push(response.headers.get("windvane-event-id"));
  }
  for (const method of ["OPTIONS", "HEAD"]) {
    const response = await fetch(`${url}/predict`, { method });
    assert.deepEqual([response.status < 300, response.headers.get("windvane-event-id")], [true, null], `${method} asks about a route`);
  }
  const asked = new AbortController();
  slow.begun = () => asked.abort();
  await assert.rejects(fetch(`${url}/slow`, { method: "POST", headers: JSON_, body: '{"distance":7}', signal: asked.signal }));
  return ids;
}

function check(collector, ids) {
  const [good, bad, odd, list, gone] = collector.records.predictions;
  assert.deepEqual([good.event_id, bad.event_id, odd.event_id, list.event_id, null], ids);
  assert.deepEqual([good.model, good.version, good.unit_id, good.status], ["delay", "7", "N1", "ok"]);
  assert.deepEqual(good.features, { distance: 1400, carrier: "UA", tail: "N1" });
  assert.deepEqual(good.prediction, { score: 0.14 });
  assert.ok(good.latency_us > 0 && good.latency_us < 10_000_000);
  assert.deepEqual([bad.status, bad.prediction], ["http_422", undefined]);
  assert.deepEqual([odd.status, odd.prediction, collector.records.predictions.length], ["ok", undefined, 5]);
  assert.deepEqual([list.status, list.features], ["ok", undefined], "places in a list are no features");
  assert.deepEqual([gone.model, gone.status, gone.features, gone.prediction], ["slow", "cancelled", { distance: 7 }, undefined]);
}

async function withClient(run) {
  const collector = await faultyCollector();
  const client = new Client({ url: collector.url, flushIntervalMs: 5 });
  const ids = await run(client);
  // That somebody went away is told to the server when it likes.
  for (const end = Date.now() + 20_000; client.stats().logged < 5; await new Promise((resolve) => setTimeout(resolve, 5))) {
    assert.ok(Date.now() < end, JSON.stringify(client.stats()));
  }
  assert.ok(await client.flush());
  check(collector, ids);
  await client.close();
  await collector.stop();
}

test("Express", () =>
  withClient(async (client) => {
    const app = express();
    app.use(express.json());
    app.use(forExpress(client, ROUTES));
    app.post("/predict", (request, response) => {
      const { distance } = request.body;
      delete request.body.distance; // what was seen was seen before
      if (distance < 0) return response.status(422).json({ detail: "negative" });
      return response.json({ score: distance / 10_000 });
    });
    app.get("/predict", (_request, response) => response.json({ score: 1 })); // and with it HEAD, and OPTIONS
    app.post("/odd", (_request, response) => response.json({ score: 1 }));
    app.post(["/list", "/other"], (_request, response) => response.json({}));
    app.post("/slow", () => slow.begun());
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    const ids = await exchange(`http://127.0.0.1:${server.address().port}`);
    server.closeAllConnections();
    server.close();
    return ids;
  }));

test("Express finds a route by its path as it is set to compare paths, and so is it named", async () => {
  for (const [settings, logged] of [
    [[], ["/predict", "/predict/", "/Predict", "/deep/path"]],
    [["strict routing"], ["/predict", "/Predict"]],
    [["case sensitive routing"], ["/predict", "/predict/"]],
  ]) {
    const collector = await faultyCollector();
    const client = new Client({ url: collector.url });
    const app = express();
    for (const setting of settings) app.enable(setting);
    app.use(forExpress(client, { "/predict": { model: "delay" }, "/Deep/path/": { model: "delay" }, "/": { model: "root" } }));
    app.get(["/predict", "/Deep/path/"], (request, response) => response.json({ label: request.path }));
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    const answered = [];
    for (const path of ["/predict", "/predict/", "/Predict", "/predict/x", "/deep/path"]) {
      const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`);
      await response.text();
      if (response.status === 200) answered.push(path);
    }
    server.closeAllConnections();
    server.close();
    assert.ok(await client.flush());
    assert.deepEqual(collector.records.predictions.map(({ prediction }) => prediction.label), logged, settings.join());
    assert.deepEqual(answered, logged, "Express itself");
    await client.close();
    await collector.stop();
  }
});

test("Express's own parsers of routes come after the middleware", async () => {
  const collector = await faultyCollector();
  const client = new Client({ url: collector.url });
  const app = express();
  app.use(forExpress(client, ROUTES));
  app.post("/predict", express.json(), (request, response) => response.json({ score: request.body.distance / 10_000 }));
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}/predict`;
  await (await fetch(url, { method: "POST", headers: JSON_, body: '{"distance":1400,"tail":"N1"}' })).text();
  server.closeAllConnections();
  server.close();
  await client.close(20_000);
  const [{ features, unit_id, prediction }] = collector.records.predictions;
  assert.deepEqual([features, unit_id, prediction], [{ distance: 1400, tail: "N1" }, "N1", { score: 0.14 }]);
  await collector.stop();
});

test("Fastify", () =>
  withClient(async (client) => {
    const app = fastify();
    forFastify(app, client, ROUTES);
    app.post("/predict", async (request, reply) => {
      if (request.body.distance < 0) return reply.code(422).send({ detail: "negative" });
      return { score: request.body.distance / 10_000 };
    });
    app.get("/predict", async () => ({ score: 1 })); // and with it HEAD
    app.options("/predict", async () => ({}));
    app.post("/odd", async () => ({ score: 1 }));
    for (const path of ["/list", "/other"]) app.post(path, async () => ({}));
    app.post("/slow", () => void slow.begun());
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    const ids = await exchange(url);
    await app.close();
    return ids;
  }));
