/** One connection's task: whatever arrives goes back. */

import { errno, Failure, reason } from "../base/errors.ts";
import type { Accepted, Identity, Stream } from "../net/stream.ts";
import type { Turns } from "../net/turns.ts";

/** An idle connection costs this much buffer; one that fills it gets eight times as much, up to the largest. */
const SMALLEST_BUFFER = 512;
const LARGEST_BUFFER = 256 << 10;
const BUFFER_STEP = 8;
/** With many connections a turn of the event loop must not take long: 128 reads of 256 KiB are 10 ms and more. */
const LARGEST_IN_A_CROWD = 32 << 10;

/** What happens to a connection at the moment. */
export type Phase = "arriving" | "reading" | "writing" | "waiting";

/** How a connection ended. */
export interface Outcome {
  readonly reason: string;
  readonly failed: boolean;
}

/** So many looks of the drain in a row must see a client quiet: one that was so at the stop, and one that was not. */
const QUIET_LOOKS = 2;
const QUIET_AGAIN_LOOKS = 10;

const LEFT: Outcome = { reason: "closed by the client", failed: false };
const STOPPED: Outcome = { reason: "the server stopped", failed: false };

/** One open connection, as its task and the server's sweep share it. */
export class Connection {
  readonly id: number;
  peer: string;
  stream: Stream;
  identity: Identity | undefined = undefined;
  /** performance.now() at the start. */
  readonly since: number;
  phase: Phase = "reading";
  /** The server's tick of the last byte that moved. */
  tick: number;
  /** Bytes sent back. */
  bytes = 0;
  /** How many of them the server's totals have. */
  counted = 0;
  /** Bytes that arrived and were not sent back yet. */
  owed = 0;
  /** How it ended, when it was closed from outside its task. */
  cut: Outcome | undefined;
  /** Set when it is half-closed by the server: nothing that arrives from now on is echoed. */
  stopping = false;
  /** What `bytes` was at the last look of the drain. */
  #seen = -1;
  #looks = QUIET_LOOKS;

  constructor(id: number, { stream, peer }: Accepted, tick: number) {
    this.id = id;
    this.peer = peer;
    this.stream = stream;
    this.tick = tick;
    this.since = performance.now();
  }

  /** What the welcome made of it: a TLS stream, the address that a proxy told. */
  accept({ stream, peer, identity }: Accepted): void {
    this.stream = stream;
    this.identity = identity;
    this.peer = peer;
  }

  /** The outcome that this error stands for; a defect of our own is thrown again. */
  failed(error: unknown): Outcome {
    if (this.cut !== undefined) return this.cut;
    if (errno(error) === "" && !(error instanceof Failure)) throw error;
    return { reason: reason(error), failed: true };
  }

  /** Closes the connection from outside its task, which then ends with this outcome. */
  abort(reason: string, failed: boolean): void {
    if (this.cut !== undefined) return;
    this.cut = { reason, failed };
    this.stream.close();
  }

  /**
   * A look of the drain. Half-closes a client that is quiet: it sees the end of the stream and can finish. One that
   * sends, or still takes its echo, is echoed on; for its next piece it has longer, as that may come from far away.
   */
  drain(): void {
    if (this.phase === "arriving") return this.abort(STOPPED.reason, STOPPED.failed);
    if (this.stopping) return;
    const first = this.#seen === -1;
    if (first || this.phase !== "reading" || this.bytes !== this.#seen) {
      this.#looks = first ? QUIET_LOOKS : QUIET_AGAIN_LOOKS;
      this.#seen = this.bytes;
    } else if (--this.#looks === 0) {
      this.stopping = true;
      this.stream.closeWrite().catch(() => {}); // the pending read tells why
    }
  }
}

/** What the task needs of the server. */
export interface Surroundings {
  readonly turns: Turns;
  /** Counts the sweeps of the server: a cheap clock for timeouts. */
  readonly clock: { tick: number };
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
