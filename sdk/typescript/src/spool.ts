// Batches on disk, for servers that are away for long: whole files, each with the key under which it is sent. For Node.
//
// A process owns one folder. Folders of processes that ended are emptied into it, so that what a process could not send before its end
// is sent by the next one, once, because the key stays the same. Node cannot lock files; the folder says whose it is instead.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { mkdir, open, readFile, readdir, rename, rmdir, stat, unlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { type InputType, type ZlibOptions, createGunzip, gunzip, gzip, gzipSync } from "node:zlib";

import type { Batch, Disk, Stored } from "./batch.js";
import { type Kind, makeId } from "./events.js";

/** Where batches wait, and how much of the disk they may take. */
export interface SpoolSettings {
  dir: string;
  /** 256 MiB. */
  bytes?: number;
}

const FOLDER = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** A half has the key of its batch, and `-0` or `-1` behind it. */
const FILE = /^([0-9a-f-]{36}(?:-[01])*)\.(predictions|outcomes|exposures|measurements)\.(\d+)\.ndjson\.gz$/;
const OWNER = "owner.json";
/** Processes of another machine or container cannot be asked; they touch their folder this often, and are dead after so long without. */
const TOUCH_MS = 60_000;
const LEASE_MS = 600_000;
/** Characters of the key of a batch that is no half. */
const KEY_CHARS = 36;
/** More than any batch has, compressed and as lines: what is larger was not written by a client. */
const BODY_BYTES_MAX = 64 * 2 ** 20;
const LINES_BYTES_MAX = 256 * 2 ** 20;
/** The time of a folder that its process has closed. */
const GIVEN_UP = new Date(0);
const gzipped = promisify<InputType, Buffer>(gzip);
const unpacked = promisify<InputType, ZlibOptions, Buffer>(gunzip);
/** Folders of this thread's clients. */
const ours = new Set<string>();

export class Spool implements Disk {
  readonly #dir: string;
  readonly #bytesMax: number;
  readonly #folder: string;
  #files: Stored[] = [];
  #bytes = 0;
  #touch: ReturnType<typeof setInterval> | undefined;

  constructor({ dir, bytes = 256 * 2 ** 20 }: SpoolSettings) {
    if (typeof dir !== "string" || dir === "") throw new TypeError("spool has no dir; accepted is the path of a folder");
    if (!(bytes >= 1)) throw new RangeError(`spool.bytes is ${bytes}; accepted is 1 or more`);
    this.#dir = dir;
    this.#bytesMax = bytes;
    this.#folder = join(dir, makeId());
  }

  get events(): number {
    return this.#files.reduce((sum, file) => sum + file.events, 0);
  }

  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    ours.add(this.#folder);
    await writeFile(join(this.#folder, OWNER), this.#owner());
    this.#touch = setInterval(() => void this.#touched(), TOUCH_MS).unref();
    for (const name of (await readdir(this.#dir)).sort()) {
      const folder = join(this.#dir, name);
      if (FOLDER.test(name) && folder !== this.#folder && (await isDead(folder))) await this.#adopt(folder);
    }
    this.#files.sort((a, b) => (a.key < b.key ? -1 : 1));
    await this.#dropBegunHalves();
  }

  /** Deletes halves beside the batch that they are of: their process ended before it deleted that. */
  async #dropBegunHalves(): Promise<void> {
    const keys = new Set(this.#files.map(({ key }) => key));
    for (const file of this.#files) {
      for (let whole = file.key.slice(0, -2); whole.length >= KEY_CHARS; whole = whole.slice(0, -2)) {
        if (!keys.has(whole)) continue;
        this.forget(file);
        await this.delete(file);
        break;
      }
    }
  }

  async #touched(): Promise<void> {
    const now = new Date();
    await utimes(join(this.#folder, OWNER), now, now).catch(() => undefined);
  }

  /** Moves the files of a dead process here, one by one: of two processes that try, one gets each. */
  async #adopt(folder: string): Promise<void> {
    try {
      for (const name of await readdir(folder)) {
        const found = FILE.exec(name);
        if (!found) continue;
        const path = join(this.#folder, name);
        try {
          await rename(join(folder, name), path);
        } catch {
          continue; // another process was first
        }
        const { size } = await stat(path);
        this.#bytes += size;
        this.#files.push({ path, key: found[1]!, kind: found[2] as Kind, events: Number(found[3]), bytes: size });
      }
    } catch {
      // another process took the folder away at this moment
    }
    await removed(folder);
  }

  async add(key: string, kind: Kind, events: number, body: Uint8Array): Promise<boolean> {
    if (this.#bytes + body.length > this.#bytesMax) return false;
    this.#bytes += body.length;
    const path = join(this.#folder, fileName(key, kind, events));
    try {
      await written(path, body);
    } catch {
      this.#bytes -= body.length;
      return false;
    }
    this.#files.push({ path, key, kind, events, bytes: body.length });
    return true;
  }

  addNow({ key, kind, events, body, isPacked }: Pick<Batch, "key" | "kind" | "events" | "body" | "isPacked">): boolean {
    const path = join(this.#folder, fileName(key, kind, events));
    try {
      const packed = isPacked ? body : gzipSync(body);
      if (this.#bytes + packed.length > this.#bytesMax) return false;
      mkdirSync(this.#folder, { recursive: true });
      writtenNow(path, packed);
      this.#bytes += packed.length;
      this.#files.push({ path, key, kind, events, bytes: packed.length });
      return true;
    } catch {
      return false;
    }
  }

  oldest(): Stored | undefined {
    return this.#files[0];
  }

  async read(stored: Stored): Promise<Uint8Array<ArrayBuffer>> {
    const { size } = await stat(stored.path);
    if (size > BODY_BYTES_MAX) throw new Error(`${size} bytes; accepted are up to ${BODY_BYTES_MAX}`);
    const body = new Uint8Array(await readFile(stored.path));
    const events = await lines(body);
    if (events !== stored.events) throw new Error(`${events} events, not ${stored.events}`);
    return body;
  }

  forget(stored: Stored): void {
    this.#files = this.#files.filter((file) => file !== stored);
  }

  async delete(stored: Stored): Promise<void> {
    this.#bytes -= stored.bytes;
    await unlink(stored.path).catch(() => undefined);
  }

  async setAside(stored: Stored): Promise<void> {
    this.#bytes -= stored.bytes;
    await rename(stored.path, `${stored.path}.damaged`).catch(() => undefined);
  }

  /** The keys of halves are made of the batch's own, so that whoever has to do it again sends them once all the same. */
  async halve(stored: Stored, body: Uint8Array): Promise<void> {
    const whole = await unpacked(body, { maxOutputLength: LINES_BYTES_MAX });
    const half = stored.events >> 1;
    let middle = 0;
    for (let events = 0; events < half; events++) middle = whole.indexOf(10, middle) + 1;
    const halves: Stored[] = [];
    for (const [ending, events, lines] of [
      ["-0", half, whole.subarray(0, middle)],
      ["-1", stored.events - half, whole.subarray(middle)],
    ] as const) {
      const key = stored.key + ending;
      const packed = await gzipped(lines);
      const path = join(this.#folder, fileName(key, stored.kind, events));
      await written(path, packed);
      halves.push({ path, key, kind: stored.kind, events, bytes: packed.length });
    }
    this.#files = [...halves, ...this.#files.filter((file) => file !== stored)];
    this.#bytes += halves.reduce((sum, { bytes }) => sum + bytes, 0);
    await this.delete(stored);
  }

  async close(): Promise<void> {
    clearInterval(this.#touch);
    if (this.#files.length === 0) await removed(this.#folder);
    else await utimes(join(this.#folder, OWNER), GIVEN_UP, GIVEN_UP).catch(() => undefined);
    ours.delete(this.#folder);
  }

  leave(): void {
    if (this.#files.length === 0) return;
    try {
      const owner = join(this.#folder, OWNER);
      writeFileSync(owner, this.#owner());
      utimesSync(owner, GIVEN_UP, GIVEN_UP);
    } catch {
      // whoever finds the folder sees by its process that it has ended
    }
  }

  #owner(): string {
    return JSON.stringify({ host: hostname(), pid: process.pid });
  }
}

const fileName = (key: string, kind: Kind, events: number): string => `${key}.${kind}.${events}.ndjson.gz`;

/** Writes a file, whole or not at all. */
async function written(path: string, body: Uint8Array): Promise<void> {
  try {
    const file = await open(`${path}.part`, "w");
    try {
      await file.writeFile(body);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.part`, path);
  } catch (error) {
    await unlink(`${path}.part`).catch(() => undefined);
    throw error;
  }
}

/** The same at once; beside a file of the same batch that is being written. */
function writtenNow(path: string, body: Uint8Array): void {
  const part = `${path.slice(0, -".ndjson.gz".length)}.now.ndjson.gz.part`;
  try {
    const file = openSync(part, "w");
    try {
      writeFileSync(file, body);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(part, path);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

/** How many lines end in a body, read piece by piece: it may unpack to much more than it should. */
async function lines(body: Uint8Array): Promise<number> {
  let [ends, bytes] = [0, 0];
  for await (const part of Readable.from([body]).pipe(createGunzip()) as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > LINES_BYTES_MAX) throw new Error(`more than ${LINES_BYTES_MAX} bytes of lines`);
    for (let at = 0; at < part.length; at++) if (part[at] === 10) ends++;
  }
  return ends;
}

/** Whether the folder is one of ours, and its process is gone. */
async function isDead(folder: string): Promise<boolean> {
  try {
    const path = join(folder, OWNER);
    const { host, pid } = JSON.parse(await readFile(path, "utf8")) as { host: string; pid: number };
    const { mtimeMs } = await stat(path);
    if (mtimeMs === GIVEN_UP.getTime()) return true;
    if (host !== hostname()) return Date.now() - mtimeMs > LEASE_MS;
    if (pid !== process.pid) return !isRunning(pid);
    // Of an earlier process with this number, as in a container that was restarted; else another thread of this one has it.
    return !ours.has(folder) && mtimeMs < Date.now() - process.uptime() * 1000;
  } catch {
    return false; // no folder of ours, or one that is being made
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Takes away what is ours; a folder that then holds something, a damaged batch say, stays. */
async function removed(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) {
      if (name.endsWith(".ndjson.gz.part")) await unlink(join(folder, name));
    }
    if ((await readdir(folder)).every((name) => name === OWNER)) {
      await unlink(join(folder, OWNER));
      await rmdir(folder);
    }
  } catch {
    // another process was first
  }
}
