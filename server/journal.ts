/** What happens to the clients of a server goes into its log and its totals here, and nowhere else. */

import { reason } from "../base/errors.ts";
import { oneLine, preview } from "../base/escape.ts";
import type { Connection, Outcome } from "./connection.ts";
import type { Fields } from "./events.ts";
import type { Log } from "./log.ts";
import type { Totals } from "./totals.ts";

/** Where somebody can cause as many events as they like, the log gets one line of a kind in this time. */
const LINE_INTERVAL_MS = 1000;

/** The journal of one server. */
export class Journal {
  /** Told of each message before it goes back; undefined: the log does not want it. */
  readonly onMessage: ((connection: Connection, message: Uint8Array) => void) | undefined;
  /** Told of each datagram before it goes back; undefined: the log does not want it. */
  readonly onDatagram: ((peer: string, datagram: Uint8Array) => void) | undefined;
  readonly #log: Log;
  readonly #totals: Totals;
  readonly #refusals: Throttle;
  readonly #aborts: Throttle;
  readonly #acceptFailures: Throttle;
  readonly #sendFailures: Throttle;

  constructor(log: Log, totals: Totals) {
    this.#log = log;
    this.#totals = totals;
    this.#refusals = new Throttle((fields) => log.write("refused", fields));
    this.#aborts = new Throttle((fields) => log.write("aborted", fields));
    this.#acceptFailures = new Throttle((fields) => log.write("accept_failed", fields));
    this.#sendFailures = new Throttle((fields) => log.write("send_failed", fields));
    if (log.wants("message")) {
      this.onMessage = ({ id, peer }, message) =>
        log.write("message", { client: id, peer, bytes: message.length, text: preview(message) });
    }
    if (log.wants("datagram")) {
      this.onDatagram = (peer, datagram) =>
        log.write("datagram", { peer, bytes: datagram.length, text: preview(datagram) });
    }
  }

  /** A client, or a datagram, is turned away. */
  refused(peer: string, reason: string): void {
    this.#totals.add("refused", 1);
    this.#refusals.add({ peer, reason });
  }

  /** A client was gone before it was accepted. */
  aborted(address: string, error: unknown): void {
    this.#totals.add("failed", 1);
    this.#aborts.add({ address, reason: reason(error) });
  }

  /** Nobody could be accepted, or no datagram received; what waits there may come in later. */
  acceptFailed(address: string, error: unknown): void {
    this.#acceptFailures.add({ address, reason: reason(error) });
  }

  /** A datagram could not be sent back. */
  sendFailed(peer: string, error: unknown): void {
    this.#totals.add("failed", 1);
    this.#sendFailures.add({ peer, reason: reason(error) });
  }

  /** A client is served from now on. */
  connected({ id: client, peer, identity }: Connection): void {
    this.#totals.add("served", 1);
    if (!this.#log.wants("connected")) return;
    this.#log.write("connected", { client, peer, open: this.#totals.get("open"), ...identity });
  }

  /** A connection has ended, served or not. */
  ended(connection: Connection, { reason, failed }: Outcome): void {
    const { id: client, peer, bytes, owed, since, phase } = connection;
    const served = phase !== "arriving";
    this.count(connection);
    if (failed) this.#totals.add("failed", 1);
    if (!served) this.#totals.add("rejected", 1);
    const event = served ? "disconnected" : "rejected";
    if (!this.#log.wants(event)) return;
    this.#log.write(event, {
      client,
      peer,
      reason: owed > 0 ? `${reason}, ${owed} bytes read and not echoed` : reason,
      duration_ms: Math.round(performance.now() - since),
      bytes,
    });
  }

  /** The task of a connection met an error that the network cannot cause. Returns what that means for the client. */
  defect({ id: client, peer }: Connection, error: unknown): Outcome {
    this.#log.write("fault", { client, peer, reason: oneLine(reason(error)) });
    const stack = String(error instanceof Error ? error.stack : error);
    this.#log.write("stack", { client, text: oneLine(stack) });
    return { reason: "a defect of echo", failed: true };
  }

  /** Adds to the totals what the connection has echoed since the last time. */
  count(connection: Connection): void {
    this.#totals.add("bytes", connection.bytes - connection.counted);
    connection.counted = connection.bytes;
  }

  /** Datagrams were sent back. */
  echoed(datagrams: number, bytes: number): void {
    this.#totals.add("datagrams", datagrams);
    this.#totals.add("bytes", bytes);
  }

  /** Writes what is still unsaid. */
  close(): void {
    this.#refusals.end();
    this.#aborts.end();
    this.#acceptFailures.end();
    this.#sendFailures.end();
  }
}

/** Lets one line through in an interval, the first at once; `count` says for how many events it stands. */
class Throttle {
  #count = 0;
  #last: Fields = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #write: (fields: Fields) => void;

  constructor(write: (fields: Fields) => void) {
    this.#write = write;
  }

  add(fields: Fields): void {
    this.#count++;
    this.#last = fields;
    if (this.#timer === undefined) this.#flush();
  }

  /** Writes what is still unsaid. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count > 0) this.#write({ ...this.#last, count: this.#count });
    this.#count = 0;
  }

  #flush(): void {
    if (this.#count === 0) return;
    this.end();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, LINE_INTERVAL_MS);
  }
}
