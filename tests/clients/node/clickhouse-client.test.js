// @clickhouse/client against the embedded engine's endpoint.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Readable } from "node:stream";
import { ClickHouseError, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { startEngine } from "./engine.js";

const ROWS = 200_000;

let engine;
before(async () => {
  engine = await startEngine();
});
after(async () => {
  assert.equal(await engine.stop(), 0, "the engine did not end cleanly");
});

// Errors are provoked here; they are asserted, not logged.
const log = { level: ClickHouseLogLevel.OFF };

function connect(options = {}) {
  return createClient({ url: engine.url, username: engine.access.user, password: engine.access.password, log, ...options });
}

const compressions = {
  plain: {},
  "gzip both ways": { compression: { request: true, response: true } },
};

for (const [name, compression] of Object.entries(compressions)) {
  describe(name, () => {
    let client;
    before(() => {
      client = connect(compression);
    });
    after(() => client.close());

    test("pings, with and without a statement", async () => {
      assert.equal((await client.ping()).success, true);
      assert.equal((await client.ping({ select: true })).success, true);
    });

    test("a stream of rows goes in and comes out", async () => {
      await client.command({ query: "CREATE OR REPLACE TABLE streamed (id UInt64, name String) ENGINE = MergeTree ORDER BY id" });
      const rows = Readable.from(
        (function* () {
          for (let id = 0; id < ROWS; id++) yield { id, name: `n${id}` };
        })(),
      );
      await client.insert({ table: "streamed", values: rows, format: "JSONEachRow" });
      const result = await client.query({ query: "SELECT id, name FROM streamed ORDER BY id", format: "JSONEachRow" });
      let expected = 0;
      for await (const batch of result.stream()) {
        for (const row of batch) {
          const { id, name } = row.json();
          assert.equal(Number(id), expected);
          assert.equal(name, `n${expected}`);
          expected += 1;
        }
      }
      assert.equal(expected, ROWS);
    });

    test("an array goes in and a document comes out", async () => {
      await client.command({ query: "CREATE OR REPLACE TABLE small (a Int32, b Nullable(String)) ENGINE = MergeTree ORDER BY a" });
      const summary = await client.insert({ table: "small", values: [[1, "x"], [2, null]], format: "JSONCompactEachRow" });
      assert.equal(summary.summary.written_rows, "2");
      const result = await client.query({ query: "SELECT * FROM small ORDER BY a", format: "JSON" });
      const document = await result.json();
      assert.deepEqual(document.data, [{ a: 1, b: "x" }, { a: 2, b: null }]);
      assert.equal(document.rows, 2);
    });

    test("parameters are bound on the server", async () => {
      const text = "it's a \\ tab\tand a `quote`";
      const result = await client.query({
        query: "SELECT {text:String} AS text, {list:Array(UInt8)} AS list, {at:DateTime64(3, 'UTC')} AS at, {none:Nullable(String)} AS none",
        query_params: { text, list: [1, 2], at: new Date(0), none: null },
        format: "JSONEachRow",
      });
      assert.deepEqual(await result.json(), [{ text, list: [1, 2], at: "1970-01-01 00:00:00.000", none: null }]);
    });

    test("a long statement goes as a form", async () => {
      const values = Array.from({ length: 20_000 }, (_, n) => n);
      const result = await client.query({
        query: "SELECT length({values:Array(UInt32)}) AS n",
        query_params: { values },
        use_multipart_params_auto: true,
        format: "JSONEachRow",
      });
      assert.equal(Number((await result.json())[0].n), values.length);
    });

    test("settings and the query id arrive", async () => {
      const result = await client.query({
        query: "SELECT getSetting('max_threads') AS n",
        clickhouse_settings: { max_threads: 3, wait_end_of_query: 1 },
        query_id: `js-${name}`.replaceAll(" ", "-"),
        format: "JSONEachRow",
      });
      assert.equal(result.query_id, `js-${name}`.replaceAll(" ", "-"));
      assert.equal(Number((await result.json())[0].n), 3);
    });

    test("errors have their code and type", async () => {
      await assert.rejects(client.query({ query: "SELECT * FROM nowhere" }), (error) => {
        assert.ok(error instanceof ClickHouseError);
        assert.equal(error.code, "60");
        assert.equal(error.type, "UNKNOWN_TABLE");
        return true;
      });
      await assert.rejects(
        client.insert({ table: "small", values: [{ a: "not a number" }], format: "JSONEachRow" }),
        (error) => error instanceof ClickHouseError,
      );
      await assert.rejects(client.exec({ query: "SELEC 1" }), (error) => error.type === "SYNTAX_ERROR");
    });

    test("a failure in the middle of a result is no end of it", async () => {
      const result = await client.query({
        query: "SELECT throwIf(number = 3000000) AS t, number FROM numbers(10000000)",
        format: "JSONEachRow",
      });
      await assert.rejects(async () => {
        for await (const _ of result.stream());
      });
    });

    test("an aborted statement does not block the client", async () => {
      const controller = new AbortController();
      const running = client.query({
        query: "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)",
        abort_signal: controller.signal,
      });
      setTimeout(() => controller.abort(), 200);
      await assert.rejects(running);
      assert.equal((await client.ping()).success, true);
    });
  });
}

test("a session keeps its temporary tables", async () => {
  const client = connect({ session_id: "js" });
  await client.command({ query: "CREATE TEMPORARY TABLE scratch (a UInt8)" });
  await client.insert({ table: "scratch", values: [{ a: 1 }, { a: 2 }], format: "JSONEachRow" });
  const result = await client.query({ query: "SELECT sum(a) AS n FROM scratch", format: "JSONEachRow" });
  assert.equal(Number((await result.json())[0].n), 3);
  await client.close();
});

test("a wrong password is refused, and the reader does not write", async () => {
  const stranger = connect({ password: "wrong" });
  await assert.rejects(stranger.query({ query: "SELECT 1" }), (error) => error.code === "516");
  const reader = connect({ username: engine.access.reader_user, password: engine.access.reader_password });
  assert.deepEqual(await (await reader.query({ query: "SELECT 1 AS a", format: "JSONEachRow" })).json(), [{ a: 1 }]);
  await assert.rejects(reader.command({ query: "CREATE TABLE no (a UInt8) ENGINE = Memory" }), (error) => error.code === "164");
  await stranger.close();
  await reader.close();
});
