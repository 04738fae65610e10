/** One connection's task: whatever arrives goes back. */

import type { Turns } from "../net/turns.ts";
import { type Connection, type Outcome, STOPPED } from "./connection.ts";

/** An idle connection costs this much buffer; one that fills it gets eight times as much, up to the largest. */
const SMALLEST_BUFFER = 512;
const LARGEST_BUFFER = 256 << 10;
const BUFFER_STEP = 8;
/** With many connections a turn of the event loop must not take long: 128 reads of 256 KiB are 10 ms and more. */
const LARGEST_IN_A_CROWD = 32 << 10;

const LEFT: Outcome = { reason: "closed by the client", failed: false };

/** What the task needs of the server. */
export interface Surroundings {
  readonly turns: Turns;
  /** Counts the sweeps of the server: a cheap clock for its timeouts. */
  readonly clock: { readonly tick: number };
  /** Told of each message before it goes back, when somebody wants to know. */
  readonly onMessage: ((connection: Connection, message: Uint8Array) => void) | undefined;
}

/**
 * Echoes until the peer half-closes, then closes. It is the owner of the stream: whatever happens, it is closed
 * at the end. A fault on the network is an outcome; only a defect of our own is thrown.
 */
export async function echo(
  connection: Connection,
  { turns, clock, onMessage }: Surroundings,
): Promise<Outcome> {
  const { stream } = connection;
  let buffer = new Uint8Array(SMALLEST_BUFFER);
  turns.join();
  try {
    for (;;) {
      connection.phase = "reading";
      const n = await stream.read(buffer);
      if (n === null) break;
      connection.tick = clock.tick;
      connection.owed += n;
      if (connection.stopping) continue;
      connection.phase = "writing";
      const message = n === buffer.length ? buffer : buffer.subarray(0, n);
      onMessage?.(connection, message);
      for (let at = 0; at < n;) {
        const written = await stream.write(at === 0 ? message : message.subarray(at));
        at += written;
        connection.bytes += written;
        connection.owed -= written;
        connection.tick = clock.tick;
      }
      if (turns.crowded) {
        connection.phase = "waiting";
        await turns.next();
      }
      buffer = fitting(buffer, n, turns.crowded ? LARGEST_IN_A_CROWD : LARGEST_BUFFER);
    }
    return connection.stopping ? STOPPED : LEFT;
  } catch (error) {
    return connection.failed(error);
  } finally {
    turns.leave();
    if (connection.cut === undefined) stream.close();
  }
}

/** The buffer for the next read, after one that gave `n` bytes: larger if it was filled, smaller if hardly used. */
function fitting(buffer: Uint8Array<ArrayBuffer>, n: number, largest: number): Uint8Array<ArrayBuffer> {
  const size = buffer.length;
  const hardlyUsed = n * BUFFER_STEP < size && size > SMALLEST_BUFFER;
  if (hardlyUsed || size > largest) return new Uint8Array(size / BUFFER_STEP);
  return n === size && size < largest ? new Uint8Array(size * BUFFER_STEP) : buffer;
}
