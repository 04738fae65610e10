/** What a connection's task, the server's sweep and its drain share. */

import { errno, Failure, reason } from "../base/errors.ts";
import type { Accepted, Identity, Stream } from "../net/stream.ts";

/** What a connection does: goes through its welcomes, waits for bytes, for room to write, or for its turn. */
export type Phase = "arriving" | "reading" | "writing" | "waiting";

/** How a connection ended. */
export interface Outcome {
  readonly reason: string;
  /** Something was lost, or went wrong. */
  readonly failed: boolean;
}

/** How one ends that finished in time after the stop. */
export const STOPPED: Outcome = { reason: "the server stopped", failed: false };

/** So many looks of the drain in a row must see a client quiet: one that was so at the stop, and one that was not. */
const QUIET_LOOKS = 2;
const QUIET_AGAIN_LOOKS = 10;

/** One open connection, as its task and the server's sweep share it. */
export class Connection {
  /** Never used twice by a server. */
  readonly id: number;
  /** `HOST:PORT` of the client, or what stands for it. */
  peer: string;
  stream: Stream;
  /** Who the client is, where it had to prove that. */
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
  /** So many looks more must see it quiet. */
  #looks = QUIET_LOOKS;

  /** `tick` is the present one of the server. */
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
  abort(outcome: Outcome): void {
    if (this.cut !== undefined) return;
    this.cut = outcome;
    this.stream.close();
  }

  /**
   * A look of the drain. Half-closes a client that is quiet: it sees the end of the stream and can finish. One that
   * sends, or still takes its echo, is echoed on; for its next piece it has longer, as that may come from far away.
   */
  drain(): void {
    if (this.phase === "arriving") return this.abort(STOPPED);
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
