// A service with something of everything in it: models in versions, outcomes, monitors of every kind that have looked, an experiment.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";

export const MODEL = "delay";
export const OTHER = "spam filter";
const DATA = join(dirname(fileURLToPath(import.meta.url)), "../../data");
const DAY = 86_400e3;
const DAYS = 30;
const START = Date.UTC(2026, 0, 1);
const CARRIERS = ["UA", "AA", "DL", "B6", "WN"];

const CONFIG = `
[server]
listen = "127.0.0.1:0"
[store]
data_dir = "data"
engine_listen = "127.0.0.1:0"
[monitors.daily]
model = "${MODEL}"
reference = "window:2026-01-02/2026-01-16"
window = "1d"
segment_by = ["region"]
segment_rows_min = 30
enabled = false
[monitors.data]
kind = "quality"
model = "${MODEL}"
reference = "window:2026-01-02/2026-01-16"
window = "1d"
enabled = false
[monitors.answers]
kind = "performance"
model = "${MODEL}"
task = "binary"
positive = "late"
reference = "window:2026-01-02/2026-01-16"
window = "1d"
estimate = true
enabled = false
[monitors.speed]
kind = "latency"
model = "${MODEL}"
reference = "previous"
window = "1d"
segment_by = ["version"]
slo = ["99%:5ms"]
enabled = false
[monitors.groups]
kind = "fairness"
model = "${MODEL}"
window = "1d"
segment_by = ["region"]
positive = "late"
enabled = false
[monitors.ranking]
kind = "attribution"
model = "${OTHER}"
reference = "window:2026-01-02/2026-01-16"
window = "1d"
enabled = false
[experiments.checkout]
control = "A"
window = "2d"
[experiments.checkout.metrics.revenue]
[experiments.checkout.metrics.bought]
type = "proportion"
[alerts]
every = "1s"
default_rules = false
[alerts.rules.Timeouts]
source = "query"
query = "SELECT model, toFloat64(countIf(status = 'timeout')) AS value FROM predictions GROUP BY model"
above = 0.5
severity = "error"
[alerts.rules.Timeouts.annotations]
summary = "{{ labels.model }} has timed out"
`;

/** Numbers that look random and are the same in every run. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function predictions() {
  const random = generator(7);
  const lines = [];
  for (let day = 0; day < DAYS; day++) {
    const rows = day % 7 >= 5 ? 260 : 400;
    for (let i = 0; i < rows; i++) {
      const ts = Math.round((START + day * DAY + (i / rows) * DAY) * 1e3);
      const warm = day >= 24 ? 11 : 0;
      const features = {
        temp: Number((12 + warm + 6 * normal(random)).toFixed(2)),
        distance: Math.round(300 + 2_000 * random() ** 2),
        hour: Math.floor(6 + 17 * random()),
        wind_speed: random() < (day >= 27 ? 0.3 : 0.02) ? null : Number((9 + 4 * normal(random)).toFixed(1)),
        humidity: Number((60 + (day % 9 === 4 ? 14 : 0) + 12 * normal(random)).toFixed(1)),
        visibility: Number((10 - 2 * random()).toFixed(2)),
        carrier: CARRIERS[Math.floor(random() ** (day >= 20 ? 2.2 : 1) * CARRIERS.length)],
        holiday: random() < 0.05,
      };
      lines.push({
        model: MODEL, version: day >= 18 ? "8" : "7", environment: "prod", event_id: `d${day}-${i}`, ts, unit_id: `u${i}`, features,
        prediction: { score: Math.min(0.999, Math.max(0.001, Number((0.25 + warm / 60 + 0.16 * normal(random)).toFixed(3)))) },
        latency_us: Math.round((day >= 28 ? 1_900 : 700) * (1 + random() ** 6 * 5)), status: random() < 0.004 ? "timeout" : "ok",
        tags: { region: i % 2 ? "east" : "west" },
      });
      if (i % 3 === 0) {
        lines.push({
          model: OTHER, version: "2026-01", environment: i % 2 ? "prod" : "shadow", event_id: `s${day}-${i}`, ts,
          // By which of them it decides changes in the last days.
          features: { length: Math.round(40 + 300 * random()), "attribution.length": random() / (day >= 27 ? 4 : 1), "attribution.links": random() / 2, "attribution.capitals": random() / 8 },
          prediction: { label: random() < 0.2 ? "spam" : "ham" },
          latency_us: Math.round(3_000 + 2_000 * random()),
        });
      }
    }
  }
  return lines;
}

function outcomes() {
  const random = generator(9);
  return Array.from({ length: 26 * 200 }, (_, i) => ({
    model: MODEL, event_id: `d${Math.floor(i / 200)}-${i % 200}`, ts: (START + (Math.floor(i / 200) + 2) * DAY) * 1e3,
    label: random() < 0.3 ? "late" : "on_time",
  }));
}

/** The flights of some days with what became of them, as a file: of the later days warmer, and with scores that say less. */
function table(days) {
  const random = generator(13);
  const names = ["temp", "distance", "wind_speed", "humidity", "carrier"];
  const of = new Set(days);
  const rows = predictions().filter((row) => row.model === MODEL && of.has(Number(row.event_id.slice(1).split("-")[0]))).map((row) => {
    const said = row.prediction.score;
    const label = random() < (days[0] >= 22 ? 0.5 : said) ? "late" : "on_time";
    return [...names.map((name) => row.features[name] ?? ""), row.tags.region, said, label].join(",");
  });
  return `${[...names, "region", "score", "label"].join(",")}\n${rows.join("\n")}\n`;
}

function experiment() {
  const random = generator(11);
  const exposures = [];
  const measurements = [];
  for (let i = 0; i < 600; i++) {
    const arm = i % 2 ? "B" : "A";
    const ts = Math.round((START + (i / 600) * 6 * DAY) * 1e3);
    exposures.push({ experiment: "checkout", unit_id: `u${i}`, arm, ts });
    measurements.push({ unit_id: `u${i}`, metric: "revenue", value: Number((20 + (arm === "B" ? 2.4 : 0) + 6 * normal(random)).toFixed(2)), ts: ts + 3.6e9 });
    measurements.push({ unit_id: `u${i}`, metric: "bought", value: random() < (arm === "B" ? 0.42 : 0.4) ? 1 : 0, ts: ts + 3.6e9 });
  }
  return { exposures, measurements };
}

export class Service {
  /** Starts `windvane serve` over a new folder and waits until it is up. */
  static async start(binary) {
    const folder = mkdtempSync(join(tmpdir(), "windvane-browser-"));
    const config = join(folder, "windvane.toml");
    writeFileSync(config, CONFIG);
    const child = spawn(binary, ["--log-format", "json", "serve", "--offline", "--config", config], { stdio: ["ignore", "ignore", "pipe"] });
    const log = [];
    const url = await new Promise((resolve, reject) => {
      createInterface({ input: child.stderr }).on("line", (line) => {
        log.push(line);
        if (line.includes("windvane is up")) resolve(JSON.parse(line).address);
      });
      child.once("exit", (code) => reject(new Error(`windvane ended with ${code}:\n${log.join("\n")}`)));
    });
    return new Service(binary, { folder, config, child, url });
  }

  constructor(binary, parts) {
    this.binary = binary;
    Object.assign(this, parts);
  }

  run(...words) {
    return execFileSync(this.binary, ["--log", "error", ...words, "--config", this.config], { encoding: "utf8" });
  }

  async send(kind, records) {
    const body = records.map((record) => JSON.stringify(record)).join("\n");
    const answer = await fetch(`${this.url}/v1/${kind}`, { method: "POST", headers: { "content-type": "application/x-ndjson" }, body });
    const told = await answer.json();
    if (answer.status !== 200 || told.accepted !== records.length) throw new Error(`${kind}: ${answer.status} ${JSON.stringify(told).slice(0, 400)}`);
  }

  async stored(table, rows) {
    const deadline = Date.now() + 60_000;
    for (;;) {
      const found = Number(this.run("query", `SELECT count() FROM ${table} FORMAT TSV`));
      if (found >= rows) return;
      if (Date.now() > deadline) throw new Error(`${found} of ${rows} rows in ${table}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Fills the service with everything that pages show. */
  async seed() {
    const { exposures, measurements } = experiment();
    const all = { predictions: predictions(), outcomes: outcomes(), exposures, measurements };
    for (const [kind, records] of Object.entries(all)) {
      await this.send(kind, records);
      await this.stored(kind, records.length);
    }
    const day = (offset) => new Date(START + offset * DAY).toISOString().slice(0, 10);
    this.run("monitor", "backfill", "daily", "--from", day(16), "--to", day(DAYS));
    for (const monitor of ["data", "answers", "speed", "groups", "ranking"]) this.run("monitor", "backfill", monitor, "--from", day(22), "--to", day(DAYS));
    for (let look = 0; look < 3; look++) this.run("experiment", "checkout");
    this.gate("candidate");
    this.gate("broken");
  }

  /** Records a gate of the flights' champion against one of the other models, whatever it says. */
  gate(candidate, ...more) {
    const model = (name) => join(DATA, "models", `${name}.onnx`);
    const words = ["shadow", "run", "--champion", model("champion"), "--candidate", model(candidate), "--traffic", join(DATA, "flights.parquet")];
    try {
      this.run(...words, "--sample", "300", "--record", candidate, ...more);
    } catch (ended) {
      if (![1, 2].includes(ended.status)) throw ended;
    }
  }

  /** Writes a report of each kind, and says where it is. */
  reports() {
    const folder = join(this.folder, "reports");
    mkdirSync(folder);
    const to = (name) => join(folder, `${name}.html`);
    const days = (from, until) => Array.from({ length: until - from }, (_, i) => from + i);
    const sides = [["reference", days(0, 16)], ["current", days(22, DAYS)]].map(([name, of]) => {
      const path = join(folder, `${name}.csv`);
      writeFileSync(path, table(of));
      return path;
    });
    const files = (command, ...words) => execFileSync(this.binary, ["--log", "error", command, ...sides, ...words, "--report", to(command)], { stdio: ["ignore", "ignore", "inherit"] });
    files("drift", "--segment-by", "region");
    files("quality");
    files("performance", "--task", "binary", "--target", "label", "--positive", "late", "--score", "score", "--segment-by", "region");
    this.run("experiment", "checkout", "--no-record", "--report", to("experiment"));
    this.gate("broken", "--report", join(folder, "gate"));
    const names = ["drift", "quality", "performance", "experiment"];
    return { ...Object.fromEntries(names.map((name) => [name, to(name)])), gate: join(folder, "gate", "gate.html") };
  }

  async stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    const code = await ended;
    rmSync(this.folder, { recursive: true, force: true });
    return code;
  }
}
