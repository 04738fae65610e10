/** What carries numbered messages to the other end and back: a connection, or a socket for datagrams. */

import type { KernelView } from "../base/kernel_view.ts";
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
 * What is odd about datagrams and no fault. `reordered`: a message came back after one that was sent later (RFC 4737);
 * `late`: it came back when it was counted as lost; `stray`: a datagram came from another address.
 */
export type Anomaly = "reordered" | "late" | "stray";

/** How many of each there were. */
export type AnomalyCounts = Record<Anomaly, number>;

/** Why a line is broken. The message is a reason without an address. */
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

/** An error of the network as a Fault. Throws any other error again: it is a defect of ours. */
export function fault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const closedByUs = error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
  if (!(error instanceof Failure) && errno(error) === "" && !closedByUs) throw error;
  const cause = error instanceof Failure ? error.cause : error;
  return new Fault(KINDS[errno(cause)] ?? "other", reason(error));
}

/** The owner of a line is told what comes back, and asked how much to send. Times are of performance.now(). */
export interface Owner {
  /** Message `k` is back, every byte of it, at `now`; it was sent at `sentAt`. */
  back(k: number, sentAt: number, now: number): void;
  /**
   * A datagram came back that is not a message on its way. The line goes on. `spoilt` is the message that it was, if
   * that is known; that message is settled.
   */
  wrong(kind: FaultKind, text: string, spoilt?: number): void;
  /** Something odd was seen that is no fault, of message `k` if it concerns one. */
  noted(anomaly: Anomaly, k: number | undefined, text: string): void;
  /** The owner was told of all that arrived together. It may close the line now. */
  arrived(now: number): void;
  /** How many messages to send now; the line sends them. */
  wanted(now: number): number;
}

/** Messages are numbered from 0 on each line, in the order in which they are sent. */
export interface Line {
  /** The IP address and port at the other end; undefined where it is a path. */
  readonly peer: string | undefined;
  /** How many milliseconds the TLS handshake took; undefined without one. */
  readonly handshakeMs: number | undefined;
  /** Whether an answer is expected soon: see Stream. */
  expecting(answer: boolean): void;
  /** What the kernel says of the connection by now; undefined where there is none, or it is closed. */
  kernelView(): KernelView | undefined;
  /** `attend` is about to throw a Fault: nothing is sent any more. */
  readonly broken: boolean;
  /**
   * Receives what comes back, tells the owner, and sends what the owner then wants. Resolves when the line is closed;
   * throws Fault when it breaks.
   */
  attend(owner: Owner): Promise<void>;
  /** Asks the owner what to send now, before anything arrives. Does nothing while the line is sending. */
  nudge(owner: Owner, now: number): void;
  /**
   * Counts as lost what was sent before `time` and is not back. Returns how many messages that are: of a stream all
   * that are on their way, if nothing came back since `time`; the line is of no more use then.
   */
  expire(time: number): number;
  /** The fault, with the offset in the stream that was reached in its message. */
  located(fault: Fault): Fault;
  /**
   * Ends the line when nothing more is to be sent. `attend` resolves soon; before that it still throws what is wrong
   * at the end of the stream. If messages are on their way, they are abandoned and it resolves at once.
   */
  finish(): void;
  /** Closes the line at once. */
  close(): void;
}
