/** `echo ping`: one message at a time, every byte of its reply checked, timed. */

import { type Address, isDatagram, isLocal, showAddress, showPeer } from "../base/address.ts";
import { note, print } from "../cli/output.ts";
import type { Signals } from "../cli/signals.ts";
import { limitSeconds, LONGEST_MS, showDuration } from "../base/units.ts";
import { datagramWindow } from "../net/datagrams.ts";
import { pauseOf } from "../net/pauses.ts";
import { SendWindow } from "../net/send_window.ts";
import { type Anomaly, Fault, fault, type FaultKind, type Line, type Owner } from "./line.ts";
import { openLine } from "./open_line.ts";
import { randomBlock } from "./messages.ts";
import { unanswered } from "../base/errors.ts";
import { pause } from "../base/time.ts";
import type { DialOptions } from "../net/stream.ts";
import { type PingEnd, PingLog, type Times } from "../report/ping.ts";

/** What `ping` is asked to do. */
export interface PingOptions {
  /** Of echo; the summary of --json names it. */
  readonly version: string;
  readonly address: Address;
  readonly dial: DialOptions;
  /** How many messages; undefined: until `stop`. */
  readonly count: number | undefined;
  /** Milliseconds from one message to the next; 0: each is sent when the one before is back. */
  readonly interval: number;
  /** Milliseconds, for connecting and for each reply. */
  readonly timeout: number;
  /** Milliseconds after which it stops; undefined: none. */
  readonly deadline: number | undefined;
  /** Bytes a message. */
  readonly size: number;
  /** A new connection for each message. */
  readonly reconnect: boolean;
  /** Of the random bytes that are sent. */
  readonly seed: number;
  readonly json: boolean;
  /** Print nothing but the summary. */
  readonly quiet: boolean;
}

/** How often messages are looked for that have not come back in time. */
const SWEEP_MS = 20;
/** How many messages may be on their way on one connection: a slow reply does not hold up the next message. */
const WINDOW = 1024;
/** Messages that were due in the last so many milliseconds are sent at once; older ones, which our timers cannot have delayed, are skipped. */
const CATCH_UP_MS = 100;

/**
 * Sends until the count, the deadline or `stop`, and prints a line for each reply and the summary. Returns whether
 * it went well: replies came, none of them wrong, no message was lost with a connection, and all came before the
 * deadline where both are asked for. Throws Failure when the first connection cannot be made for a reason that waiting does not cure.
 */
export async function ping(options: PingOptions, { stop, onQuit }: Signals): Promise<boolean> {
  const session = new Session(options, stop);
  onQuit(() => session.tell());
  return await session.run();
}

class Session implements Owner {
  readonly #options: PingOptions;
  readonly #log: PingLog;
  readonly #block: Uint8Array<ArrayBuffer>;
  /** Aborts at the deadline or when the user stops it. */
  readonly #over: AbortSignal;
  readonly #deadline = new AbortController();
  #line: Line | undefined;
  /** The number of the first message of this line. */
  #base = 0;
  #sent = 0;
  /** When each message that is on its way was sent. */
  readonly #waiting = new Map<number, number>();
  #connecting: { readonly connect: number; readonly tls: number | undefined } | undefined;
  /** Messages for the line to send. */
  #due = 0;
  #attending = Promise.resolve();
  /** The last line broke, and the next one takes its place. */
  #replaces = false;
  #onSettled = () => {};

  constructor(options: PingOptions, stop: AbortSignal) {
    this.#options = options;
    this.#block = randomBlock(options.seed);
    this.#over = AbortSignal.any([stop, this.#deadline.signal]);
    const { address, size, json, count, interval, timeout, deadline, reconnect, seed } = options;
    this.#log = new PingLog({
      json,
      quiet: options.quiet,
      datagrams: isDatagram(address),
      engine: options.dial.engine,
      size,
      version: options.version,
      target: showAddress(address),
      peer: isLocal(address) ? showAddress(address) : showPeer(address.host ?? "", address.port),
      options: {
        size_bytes: size,
        count: count ?? null,
        interval_seconds: interval / 1000,
        timeout_seconds: limitSeconds(timeout),
        deadline_seconds: deadline === undefined ? null : deadline / 1000,
        reconnect,
        seed,
      },
    }, print);
  }

  /** Prints the figures so far on stderr. */
  tell(): void {
    note(`${this.#log.interim(this.#sent, this.#waiting.size)}\n`);
  }

  async run(): Promise<boolean> {
    const { count = Infinity, deadline } = this.#options;
    this.#over.addEventListener("abort", () => this.#onSettled(), { once: true });
    const timer = deadline === undefined ? undefined : setTimeout(() => this.#deadline.abort(), deadline);
    const sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    let end: PingEnd;
    try {
      await this.#sendAll();
      await this.#until(() => this.#waiting.size === 0);
      await this.#finish();
      end = this.#log.end(this.#sent, this.#waiting.size);
      await this.#log.written();
    } finally {
      clearTimeout(timer);
      clearInterval(sweeper);
      this.#hangUp();
    }
    const early = deadline !== undefined && end.received < count && Number.isFinite(count);
    const wrong = "corrupted" in end.errors || "surplus" in end.errors;
    // UDP may lose a datagram, as ping(8) may; a connection promises that nothing is lost.
    const broken = !isDatagram(this.#options.address) && end.lost > 0;
    return end.received > 0 && !wrong && !broken && !early;
  }

  /** Sends by the clock, from the first message on, until the count, or before the deadline. */
  async #sendAll(): Promise<void> {
    const { count = Infinity, deadline = Infinity, interval } = this.#options;
    const begin = performance.now();
    for (let next = begin; !this.#over.aborted;) {
      const dials = this.#line === undefined && !this.#options.reconnect;
      await this.#send();
      await this.#log.written();
      if (this.#sent >= count) return;
      if (interval === 0) await this.#until(() => this.#waiting.size === 0);
      const now = performance.now();
      if (dials) next = now; // no message was due while there was no connection
      next = Math.max(next + interval, now - CATCH_UP_MS);
      const wait = next < begin + deadline ? next - now : Infinity;
      if (wait > 0) await pause(Math.min(wait, LONGEST_MS), this.#over);
    }
  }

  back(k: number, sentAt: number, now: number): void {
    const echo = now - sentAt;
    const seq = this.#base + k;
    this.#waiting.delete(seq);
    if (this.#options.reconnect && this.#connecting !== undefined) {
      const { connect, tls } = this.#connecting;
      const times: Times = { connect, tls, echo };
      this.#log.reply(seq + 1, connect + (tls ?? 0) + echo, times);
    } else {
      this.#log.reply(seq + 1, echo, undefined);
    }
  }

  wrong(kind: FaultKind, text: string, spoilt?: number): void {
    const seq = spoilt === undefined ? undefined : this.#base + spoilt;
    if (seq !== undefined) this.#waiting.delete(seq);
    this.#log.fault(seq === undefined ? undefined : seq + 1, kind, text);
  }

  noted(anomaly: Anomaly, k: number | undefined, text: string): void {
    this.#log.noted(anomaly, k === undefined ? undefined : this.#base + k + 1, text);
  }

  arrived(): void {
    if (this.#waiting.size === 0) this.#line?.expecting(false);
    this.#onSettled();
  }

  wanted(): number {
    const n = this.#due;
    this.#due = 0;
    return n;
  }

  async #send(): Promise<void> {
    await this.#until(() => this.#waiting.size < WINDOW && !this.#line?.broken);
    if (this.#over.aborted) return;
    const seq = this.#sent;
    const told = this.#line !== undefined || await this.#dial();
    const now = performance.now();
    this.#sent++;
    if (told) this.#waiting.set(seq, now);
    const line = this.#line;
    if (line === undefined) return;
    this.#due++;
    line.nudge(this, now);
    line.expecting(true);
    if (!this.#options.reconnect) return;
    await this.#until(() => this.#waiting.size === 0);
    await this.#finish();
  }

  /** Makes the line. If that fails, prints why, counts the next message as lost, and returns false. */
  async #dial(): Promise<boolean> {
    const { address, dial, size, timeout, interval } = this.#options;
    const late = AbortSignal.timeout(timeout);
    const begin = performance.now();
    try {
      const sendWindow = new SendWindow(datagramWindow(size), 1000 / interval, pauseOf(dial.engine));
      const route = { address, dial, size, timeout, window: WINDOW, sendWindow };
      const line = await openLine(route, this.#block, 0, AbortSignal.any([late, this.#over]));
      const took = performance.now() - begin;
      const tls = line.handshakeMs;
      this.#connecting = { connect: took - (tls ?? 0), tls };
      this.#line = line;
      this.#log.reached(line.peer);
      this.#base = this.#sent;
      this.#attending = this.#attend(line);
      if (this.#replaces) this.#log.reconnected(this.#sent + 1);
      this.#replaces = false;
      return true;
    } catch (error) {
      if (this.#over.aborted) return true;
      const { kind, message } = late.aborted
        ? new Fault("timeout", `${unanswered(error)} within ${showDuration(timeout)}`)
        : fault(error);
      // Such as a name that does not resolve or a certificate that is not trusted: another try would not help.
      if (kind === "other" && this.#sent === 0) throw error;
      this.#log.fault(this.#sent + 1, kind, message);
      return false;
    }
  }

  async #attend(line: Line): Promise<void> {
    try {
      await line.attend(this);
    } catch (error) {
      if (line === this.#line) this.#broken(fault(error));
    }
  }

  /** The connection broke. What was on its way is lost; the next message gets a new connection. */
  #broken({ kind, message }: Fault): void {
    this.#hangUp();
    this.#replaces = true;
    const [first, ...others] = Array.from(this.#waiting.keys(), (seq) => seq + 1);
    this.#log.fault(first, kind, message);
    if (others.length > 0) this.#log.lost(others);
    this.#waiting.clear();
    this.#onSettled();
  }

  #sweep(): void {
    const { timeout, address } = this.#options;
    const before = performance.now() - timeout;
    if (this.#waiting.size === 0 || (this.#line?.expire(before) ?? 0) === 0) return;
    const fault = new Fault("timeout", `no reply within ${showDuration(timeout)}`);
    if (!isDatagram(address)) return this.#broken(this.#line?.located(fault) ?? fault);
    for (const [seq, sentAt] of this.#waiting) {
      if (sentAt >= before) break;
      this.#waiting.delete(seq);
      this.#log.fault(seq + 1, fault.kind, fault.message);
    }
    this.#onSettled();
  }

  /** Ends the line, and waits for what may be wrong at its end. */
  async #finish(): Promise<void> {
    this.#log.closing(this.#line?.kernelView());
    this.#line?.finish();
    await this.#attending;
    this.#hangUp();
  }

  #hangUp(): void {
    const line = this.#line;
    this.#log.closing(line?.kernelView());
    this.#line = undefined;
    this.#due = 0;
    line?.close();
  }

  /** Resolves when `condition` holds, or all is over. */
  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#over.aborted) {
      await new Promise<void>((resolve) => this.#onSettled = resolve);
    }
  }
}
