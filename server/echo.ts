/** One connection's task: whatever arrives goes back. */

import type { Turns } from "../net/turns.ts";
import { type Connection, type Outcome, STOPPED } from "./connection.ts";

/** An idle connection costs this much buffer; one that fills it gets eight times as much, up to the largest. */
const SMALLEST_BUFFER = 512;
const LARGEST_BUFFER = 256 << 10;
const BUFFER_STEP = 8;
/**
 * So many reads in a row must hardly use the buffer before it shrinks. In a fast stream single reads come short: a
 * new buffer after each was garbage of 20 to 40 MB.
 */
const SHORT_READS = 16;
/** With many connections a turn of the event loop must not take long: 128 reads of 256 KiB are 10 ms and more. */
const LARGEST_IN_A_CROWD = 32 << 10;
/** Where there are no turns to say so, more than this are a crowd: what all of them hold is bounded by it. */
const CROWD = 128;

/** A buffer. */
class Buffer {
  readonly bytes: Uint8Array;
  /** The last part that was asked for: messages are often of one size, and a view for each would be garbage. */
  #part: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = this.#part = bytes;
  }

  /** Its first `n` bytes. */
  first(n: number): Uint8Array {
    if (this.#part.length !== n) {
      this.#part = n === this.bytes.length ? this.bytes : this.bytes.subarray(0, n);
    }
    return this.#part;
  }
}

/**
 * Buffers of the smallest size, which go from client to client. They are parts of larger ones: to the system each of
 * its own would be half as large again.
 */
const spare: Buffer[] = [];
const MADE_AT_ONCE = 64;

function smallestBuffer(): Buffer {
  if (spare.length === 0) {
    const all = new Uint8Array(MADE_AT_ONCE * SMALLEST_BUFFER);
    for (let at = 0; at < all.length; at += SMALLEST_BUFFER) {
      spare.push(new Buffer(all.subarray(at, at + SMALLEST_BUFFER)));
    }
  }
  return spare.pop() ?? new Buffer(new Uint8Array(SMALLEST_BUFFER));
}

const LEFT: Outcome = { reason: "closed by the client", failed: false };

/** What the task needs of the server. */
export interface Surroundings {
  /** undefined: nobody starves without them. */
  readonly turns: Turns | undefined;
  /** How many connections there are, this one among them. */
  readonly connections: { readonly size: number };
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
  { turns, connections, clock, onMessage }: Surroundings,
): Promise<Outcome> {
  const { stream } = connection;
  const space = new ReadBuffer();
  turns?.join();
  try {
    for (;;) {
      connection.phase = "reading";
      const arrival = stream.arrival?.();
      if (arrival !== undefined) {
        space.release();
        await arrival;
      }
      const buffer = space.take();
      const got = stream.read(buffer.bytes);
      const n = typeof got === "object" && got !== null ? await got : got;
      if (n === null) break;
      connection.tick = clock.tick;
      connection.owed += n;
      if (connection.stopping) continue;
      connection.phase = "writing";
      const message = buffer.first(n);
      onMessage?.(connection, message);
      for (let at = 0; at < n;) {
        const taken = stream.write(at === 0 ? message : message.subarray(at));
        const written = typeof taken === "object" ? await taken : taken;
        at += written;
        connection.bytes += written;
        connection.owed -= written;
        connection.tick = clock.tick;
      }
      if (turns?.crowded) {
        connection.phase = "waiting";
        await turns.next();
      }
      const crowded = turns?.crowded ?? connections.size > CROWD;
      space.fit(n, crowded ? LARGEST_IN_A_CROWD : LARGEST_BUFFER);
    }
    return connection.stopping ? STOPPED : LEFT;
  } catch (error) {
    return connection.failed(error);
  } finally {
    turns?.leave();
    space.release();
    if (connection.cut === undefined) stream.close();
  }
}

/** What a connection reads into: larger after a read that filled it, smaller after many that hardly used it. */
class ReadBuffer {
  #buffer: Buffer | undefined;
  #shortReads = 0;

  /** To read into, and to write from. */
  take(): Buffer {
    return this.#buffer ??= smallestBuffer();
  }

  /** Leaves one of the smallest to others: into it nothing is read, and from it nothing is written, any more. */
  release(): void {
    if (this.#buffer?.bytes.length !== SMALLEST_BUFFER) return;
    spare.push(this.#buffer);
    this.#buffer = undefined;
  }

  /** Makes it right for the next read, after one that gave `n` bytes. */
  fit(n: number, largest: number): void {
    const size = this.#buffer?.bytes.length ?? SMALLEST_BUFFER;
    this.#shortReads = n * BUFFER_STEP < size && size > SMALLEST_BUFFER ? this.#shortReads + 1 : 0;
    if (this.#shortReads === SHORT_READS || size > largest) this.#resize(size / BUFFER_STEP);
    else if (n === size && size < largest) this.#resize(size * BUFFER_STEP);
  }

  #resize(size: number): void {
    this.release();
    this.#buffer = size === SMALLEST_BUFFER ? undefined : new Buffer(new Uint8Array(size));
    this.#shortReads = 0;
  }
}
