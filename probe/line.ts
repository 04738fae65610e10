/** A way to the other end and back on which whole messages travel: a connection, or a socket for datagrams. */

import { errno, Failure, reason } from "../base/errors.ts";

/** What went wrong with a message or with its connection: the keys of `errors` in the reports. */
export type FaultKind =
  | "timeout"
  | "reset"
  | "refused"
  | "closed"
  | "corrupted"
  | "surplus"
  | "duplicate"
  | "other";

/**
 * What is no fault, and yet to be told, of datagrams: a message came back after a later one; it came after it had been
 * given up, and was counted as lost; a datagram came from somewhere else.
 */
export type Anomaly = "reordered" | "late" | "stray";

/** How many of each. */
export type AnomalyCounts = Record<Anomaly, number>;

/** A line that is of no more use. */
export class Fault extends Error {
  readonly kind: FaultKind;

  constructor(kind: FaultKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

const KINDS: Readonly<Record<string, FaultKind>> = {
  ECONNRESET: "reset",
  EPIPE: "closed",
  ENOTCONN: "closed",
  ECONNABORTED: "reset",
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
};

/** The fault that an error of the network is; a defect of our own is thrown again. */
export function fault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const closedByUs = error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
  if (!(error instanceof Failure) && errno(error) === "" && !closedByUs) throw error;
  const cause = error instanceof Failure ? error.cause : error;
  return new Fault(KINDS[errno(cause)] ?? "other", reason(error));
}

/** Who owns a line: told of what comes back, and asked how much to send. Times are of performance.now(). */
export interface Owner {
  /** Message `k` is back, every byte of it, at `now`; it was sent at `sentAt`. */
  back(k: number, sentAt: number, now: number): void;
  /**
   * Something came back that is no message on its way, and the line goes on: datagrams alone. `spoilt` is the
   * message that it was, if that is known, which is then settled.
   */
  wrong(kind: FaultKind, text: string, spoilt?: number): void;
  /** Something was seen that is no fault; of message `k`, where it is of one. */
  noted(anomaly: Anomaly, k: number | undefined, text: string): void;
  /** All that arrived together has been told. The owner may close the line. */
  arrived(now: number): void;
  /** How many messages to send now; the line sends them. */
  wanted(now: number): number;
}

/** Messages are numbered from 0 on each line, in the order in which they are sent. */
export interface Line {
  /** What the handshake of TLS took of the time in which the line was made, in milliseconds. */
  readonly handshakeMs: number | undefined;
  /** It has a fault, which `attend` is about to throw: nothing is sent any more. */
  readonly broken: boolean;
  /**
   * Takes what comes back, tells the owner, and sends what the owner then wants. Resolves when the line is closed;
   * throws Fault when it breaks.
   */
  attend(owner: Owner): Promise<void>;
  /** Asks the owner what to send without waiting for an arrival, unless the line is still busy sending. */
  nudge(owner: Owner, now: number): void;
  /**
   * Gives up what was sent before `time` and is not back. Returns how many messages: those alone, of datagrams;
   * all that are on their way, of a stream, which is of no more use then.
   */
  expire(time: number): number;
  /** The same fault, with the place in the stream that was reached. */
  located(fault: Fault): Fault;
  /**
   * Nothing more will be sent: `attend` ends soon, at once where messages are on their way, and still throws what
   * is wrong at the end of the line.
   */
  finish(): void;
  close(): void;
}
