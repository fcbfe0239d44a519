// The end of the process, or of a thread of it, for all of its clients: with a listener each, Node would call the eleventh a leak.

/** A client, as far as the end is concerned. */
export interface Ending {
  close(): Promise<void>;
  /** Writes to the spool what it can; answers how many events no one will send, as nothing that waits runs any more. */
  left(): number;
}

const open = new Set<Ending>();

/** Nothing else is left to do, so that there is time to send what is queued. */
function beforeExit(): void {
  for (const client of open) void client.close();
}

/** After `process.exit`, or what nobody caught. */
function exit(): void {
  const left = [...open].reduce((sum, client) => sum + client.left(), 0);
  if (left === 0) return;
  try {
    console.warn(`windvane: the process ends with ${left} events that were not sent; await client.close() before process.exit()`);
  } catch {
    // no more than elsewhere is a console that throws a reason to throw
  }
}

/** Closes a client at the end of the process, where there is one. */
export function watch(client: Ending): void {
  if (typeof process === "undefined") return;
  if (open.size === 0) process.on?.("beforeExit", beforeExit)?.on("exit", exit);
  open.add(client);
}

/** The client is closed. */
export function unwatch(client: Ending): void {
  if (open.delete(client) && open.size === 0) process.removeListener?.("beforeExit", beforeExit)?.removeListener("exit", exit);
}
