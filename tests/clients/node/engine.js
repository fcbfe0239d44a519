// Starts `windvane engine` over a temporary folder.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const READY_WITHIN_MS = 60_000;

/** A running engine: its URL, its users, and how to stop it. It ends with the pipe on its standard input. */
export async function startEngine() {
  const folder = mkdtempSync(join(tmpdir(), "windvane-clients-"));
  const child = spawn(
    process.env.WINDVANE,
    ["engine", "--data", folder, "--listen", "127.0.0.1:0", "--exit-with-stdin"],
    { stdio: ["pipe", "ignore", "pipe"] },
  );
  const ended = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
  const port = await address(child, ended);
  return {
    url: `http://127.0.0.1:${port}`,
    access: JSON.parse(readFileSync(join(folder, "access.json"), "utf8")),
    async stop() {
      child.stdin.end();
      const code = await ended;
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}

function address(child, ended) {
  return new Promise((resolve, reject) => {
    let seen = "";
    const timer = setTimeout(() => reject(new Error(`the engine is not ready:\n${seen}`)), READY_WITHIN_MS);
    ended.then((code) => reject(new Error(`the engine ended with ${code}:\n${seen}`)));
    child.stderr.on("data", (data) => {
      seen = (seen + data).slice(-65536);
      // eslint-disable-next-line no-control-regex
      const found = /address=\S*?127\.0\.0\.1:(\d+)/.exec(seen.replaceAll(/\x1b\[[0-9;]*m/g, ""));
      if (found) {
        clearTimeout(timer);
        resolve(Number(found[1]));
      }
    });
  });
}
