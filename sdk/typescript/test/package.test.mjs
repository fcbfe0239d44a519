// What npm publishes: whole, with its license, and with types that the usual resolutions find.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PROGRAM = `
import fastify from "fastify";
import { Client, assign, type Prediction, type Stats } from "windvane";
import { windvane as forExpress } from "windvane/express";
import { windvane as forFastify } from "windvane/fastify";
import { Spool } from "windvane/spool";

const client = new Client({ url: "http://127.0.0.1:8080", model: "delay", spool: new Spool({ dir: "/tmp/spool" }) });
forFastify(fastify(), client, { "/predict": { model: "delay", answer: () => ({ score: 1 }) } });
export const middleware = forExpress(client, { "/predict": { model: "delay" } });
export const one: Prediction = { features: { distance: 1400, carrier: "UA" }, embeddings: { text: Float32Array.of(0.5) } };
export const stats: Stats = client.stats();
export const { arm } = assign({ salt: "s", arms: [{ arm: "A", weight: 1 }] }, "u1");
export const value: Promise<number> = client.monitor(one, () => 12.5);
// @ts-expect-error: no field of a prediction
client.logPrediction({ feature: {} });
`;

/** The files that npm would publish. */
function published() {
  const said = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: ROOT, encoding: "utf8" });
  return JSON.parse(said)[0].files.map(({ path }) => path);
}

test("the package has its license, its documentation, and code and types of every export", () => {
  const files = published();
  const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const named = Object.values(exports).flatMap((of) => Object.values(of)).map((path) => path.replace("./", ""));
  for (const path of ["LICENSE", "README.md", "package.json", ...named]) assert.ok(files.includes(path), path);
  assert.ok(files.every((path) => /^(LICENSE|README\.md|package\.json|dist\/[a-z0-9]+(\.d\.ts|\.js))$/.test(path)), files.join());
  assert.equal(readFileSync(join(ROOT, "LICENSE"), "utf8"), readFileSync(join(ROOT, "../../LICENSE"), "utf8"));
});

test("its types are found by node16 and bundler, with the real Fastify", () => {
  const dir = mkdtempSync(join(tmpdir(), "windvane-package-"));
  try {
    mkdirSync(join(dir, "node_modules"));
    for (const path of published()) cpSync(join(ROOT, path), join(dir, "node_modules/windvane", path));
    for (const name of ["fastify", "@types"]) symlinkSync(join(ROOT, "node_modules", name), join(dir, "node_modules", name));
    writeFileSync(join(dir, "package.json"), '{"type":"module"}');
    writeFileSync(join(dir, "program.ts"), PROGRAM);
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    for (const [module, resolution] of [["node16", "node16"], ["esnext", "bundler"]]) {
      const how = ["--noEmit", "--strict", "--target", "es2022", "--module", module, "--moduleResolution", resolution];
      try {
        execFileSync(process.execPath, [tsc, ...how, "program.ts"], { cwd: dir, encoding: "utf8" });
      } catch (error) {
        assert.fail(`${resolution}: ${error.stdout}`);
      }
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
