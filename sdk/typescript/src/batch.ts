// A batch: what one request holds, and what waits on disk.
import type { Kind } from "./events.js";
import type { Item } from "./queue.js";

/** Events of one kind under one key. */
export interface Batch {
  kind: Kind;
  key: string;
  events: number;
  /** None where the batch comes from the disk. */
  items: Item[];
  stored?: Stored;
  body: Uint8Array<ArrayBuffer>;
  /** The body is gzip. */
  isPacked: boolean;
  begun: number;
  inDoubt: boolean;
  /** Being written to the disk, or written. */
  kept?: Promise<boolean>;
  /** Its fate is known, and counted. */
  isOver: boolean;
}

/** A batch in a file. */
export interface Stored {
  path: string;
  key: string;
  kind: Kind;
  events: number;
  bytes: number;
}

/** Where batches wait that the server does not take; see `Spool`, which only Node has. */
export interface Disk {
  /** Events that wait here. */
  readonly events: number;
  /** Makes the folder, and takes over what dead processes left. */
  open(): Promise<void>;
  /** Writes a batch, whole or not at all; says whether there was room. */
  add(key: string, kind: Kind, events: number, body: Uint8Array): Promise<boolean>;
  /** The same at once, of a body that may not be packed yet: for the end of a process. Makes the folder if need be. */
  addNow(batch: Pick<Batch, "key" | "kind" | "events" | "body" | "isPacked">): boolean;
  /** The batch that waits longest. */
  oldest(): Stored | undefined;
  /** The batch as it was written; fails where it is not whole. */
  read(stored: Stored): Promise<Uint8Array<ArrayBuffer>>;
  /** The batch's fate is known; its file is deleted or set aside next. Killed in between, it is sent again under the same key. */
  forget(stored: Stored): void;
  delete(stored: Stored): Promise<void>;
  setAside(stored: Stored): Promise<void>;
  /** Puts two batches of half the events each in the place of one that the server took nothing of. */
  halve(stored: Stored, body: Uint8Array): Promise<void>;
  /** Gives the folder up. */
  close(): Promise<void>;
  /** The same at once, of a folder that batches are left in. */
  leave(): void;
}

/** The lines of a batch. */
export function joined(items: Item[]): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(items.reduce((sum, { line }) => sum + line.length + 1, 0));
  let offset = 0;
  for (const { line } of items) {
    body.set(line, offset);
    body[offset + line.length] = 10;
    offset += line.length + 1;
  }
  return body;
}

/** The body of a batch. */
export async function gzip(body: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
