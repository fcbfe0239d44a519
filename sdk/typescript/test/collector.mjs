// A collector that fails on purpose: answers once per Idempotency-Key, after the faults in `plan`.
import http from "node:http";
import { gunzipSync } from "node:zlib";

export async function faultyCollector() {
  const held = { plan: [], always: undefined, records: {}, keys: new Map(), requests: [], eventsMax: Infinity, hanging: 0, closed: 0 };
  const server = http.createServer((request, response) => {
    const fault = held.plan.shift() ?? held.always;
    if (fault === "away") return request.socket.destroy();
    if (fault === "hang") {
      response.on("close", () => held.closed++);
      return void held.hanging++;
    }
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const packed = Buffer.concat(chunks);
      const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(packed) : packed;
      const kind = request.url.split("/").pop();
      const key = request.headers["idempotency-key"];
      const records = body.toString().split("\n").filter(Boolean).map((line) => JSON.parse(line));
      held.requests.push({ kind, key, events: records.length, authorization: request.headers.authorization });
      const [status, headers] = Array.isArray(fault) ? fault : [fault, {}];
      const answer = (code, document, more = {}) => {
        response.writeHead(code, { "content-type": "application/json", ...more });
        response.end(JSON.stringify(document));
      };
      if (typeof status === "number") return answer(status, { code: "a_fault", detail: "on purpose" }, headers);
      if (records.length > held.eventsMax) return answer(413, { code: "body_too_large" });
      if (!held.keys.has(key)) {
        const kept = records.filter((record) => record.model !== "refused");
        (held.records[kind] ??= []).push(...kept);
        const rejected = records.flatMap((record, index) => (record.model === "refused" ? [{ index, code: "bad", message: "on purpose" }] : []));
        held.keys.set(key, { accepted: kept.length, rejected });
      }
      if (fault === "lost") return request.socket.destroy();
      if (fault === "rubbish") return answer(200, ["not ours"]);
      answer(held.keys.get(key).accepted > 0 ? 200 : 400, held.keys.get(key));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  held.url = `http://127.0.0.1:${server.address().port}`;
  held.stop = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
  return held;
}

/** The sum that must be `stats.logged + stats.adopted`. */
export function accounted(stats) {
  const dropped = Object.values(stats.dropped).reduce((sum, n) => sum + n, 0);
  return stats.received + stats.rejected + stats.unconfirmed + stats.spooled + stats.queued + dropped;
}
