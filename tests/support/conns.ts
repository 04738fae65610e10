/** What a client does to a server, on a bare connection. */

import { roundTrip } from "./helpers.ts";

/** Reads all that is left, and how the stream ended: "" at its proper end, else the name of the error. */
export async function readToEnd(conn: Deno.Conn): Promise<{ bytes: Uint8Array; error: string }> {
  const pieces: Uint8Array[] = [];
  const buffer = new Uint8Array(64 << 10);
  let error = "";
  try {
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      pieces.push(buffer.slice(0, n));
    }
  } catch (fault) {
    error = (fault as Error).name;
  }
  return { bytes: new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer()), error };
}

/** Whether a client is served: its byte comes back. A client that is turned away sees the end, or a reset. */
export async function isServed(conn: Deno.Conn): Promise<boolean> {
  try {
    return await roundTrip(conn, "?") === "?";
  } catch {
    return false;
  }
}

/** Sends and never reads, until the server has no room left for more and cuts it off. */
export async function flood(conn: Deno.Conn): Promise<void> {
  const piece = new Uint8Array(64 << 10);
  try {
    for (;;) await conn.write(piece);
  } catch { /* that is how it ends */ }
}

/** Closes them, those too that are closed already. */
export const closeAll = (conns: Iterable<Deno.Conn>) => {
  for (const conn of conns) {
    try {
      conn.close();
    } catch { /* closed already */ }
  }
};

/** Makes `n` at once; each is told which it is, from 0. */
export const many = <T>(n: number, make: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: n }, (_, i) => make(i)));
