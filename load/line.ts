/** A way to the other end and back on which whole messages travel: a connection, or a socket for datagrams. */

import { errno, Failure, reason } from "../net/errors.ts";

/** What went wrong with a message or with its connection: the keys of `errors` in the reports. */
export type Kind = "timeout" | "reset" | "refused" | "closed" | "corrupted" | "duplicate" | "other";

/** A line that is of no more use. */
export class Fault extends Error {
  readonly kind: Kind;

  constructor(kind: Kind, message: string) {
    super(message);
    this.kind = kind;
  }
}

const KINDS: Readonly<Record<string, Kind>> = {
  ECONNRESET: "reset",
  EPIPE: "reset",
  ECONNABORTED: "reset",
  ECONNREFUSED: "refused",
  ETIMEDOUT: "timeout",
};

/** The fault that an error of the network is; a defect of our own is thrown again. */
export function fault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  if (!(error instanceof Failure) && errno(error) === "" && !(error instanceof Deno.errors.BadResource)) {
    throw error;
  }
  const cause = error instanceof Failure ? error.cause : error;
  return new Fault(KINDS[errno(cause)] ?? "other", reason(error));
}

/** Told of what comes back, message by message. */
export interface Ears {
  /** Message `k` is back, every byte of it; `sentAt` as it was given to `send`. */
  back(k: number, sentAt: number): void;
  /** Something came back that is no message on its way, and the line goes on: datagrams alone. */
  wrong(kind: Kind, text: string): void;
}

/** Messages are numbered from 0 on each line, in the order in which they are sent. */
export interface Line {
  /** What the handshake of TLS took of the time in which the line was made, in milliseconds. */
  readonly handshakeMs: number | undefined;
  /**
   * Sends the messages `from` to `to - 1`; resolves when the system has taken them. `sentAt` is performance.now().
   * Rejects when the line is broken, and then `receive` rejects too, with a better reason.
   */
  send(from: number, to: number, sentAt: number): Promise<void>;
  /** Resolves when something arrived and `ears` were told. One call at a time. Throws Fault when the line is broken. */
  receive(ears: Ears): Promise<void>;
  /**
   * Gives up what was sent before `time` and is not back. Returns how many messages: those alone, of datagrams;
   * all that are on their way, of a stream, which is of no more use then.
   */
  giveUp(time: number): number;
  /** Once. A pending `receive` rejects. */
  close(): void;
}
