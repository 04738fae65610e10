/** One of the connections of a run, and those that replace it when it breaks or has carried its messages. */

import { isDatagram } from "../base/address.ts";
import { Failure, unanswered } from "../base/errors.ts";
import { type Anomaly, Fault, fault, type FaultKind, type Line, type Owner } from "../probe/line.ts";
import { openLine, type Route } from "../probe/open_line.ts";
import { closed, type Pace } from "./pace.ts";
import type { Plan } from "./plan.ts";
import type { KernelView } from "../base/kernel_view.ts";
import type { SendWindow } from "../net/send_window.ts";
import type { Turns } from "../net/turns.ts";

/** How long to wait before a connection that failed is made again. */
const PAUSE_MS = 100;

/** What the connections of a run share. Times are of performance.now(). */
export interface RunState {
  readonly plan: Plan;
  /** undefined: nobody starves without them. */
  readonly turns: Turns | undefined;
  readonly sendWindow: SendWindow | undefined;
  /** Messages of the measurement that may still be sent. */
  readonly left: number;
  /** Messages on their way. */
  outstanding: number;
  /** A connection was made, to this address. */
  connected(peer: string | undefined): void;
  /** A connection is about to be closed, of which the kernel says this. */
  closing(view: KernelView | undefined): void;
  /** Whether nothing more is to be sent. */
  finished(now: number): boolean;
  /** So many messages of the measurement are sent now. */
  sent(measured: number): void;
  /** A message of the measurement is back, after so many milliseconds. */
  back(latency: number, now: number): void;
  /** So many messages of the measurement will not come back. */
  lost(measured: number): void;
  /** `n` messages are back or lost, those of the warm-up included. */
  settled(n: number, now: number): void;
  /** Something went wrong, once, however many messages it cost. */
  error(kind: FaultKind, text: string, warmup: boolean): void;
  /** Something odd that is no fault was seen in the measurement. */
  noted(anomaly: Anomaly, text: string): void;
}

/** Keeps one connection busy at its pace: `connect`, then `start`, then `finish`. */
export class Caller implements Owner {
  readonly #run: RunState;
  readonly #block: Uint8Array<ArrayBuffer>;
  readonly #connection: number;
  readonly #route: Route;
  #pace: Pace = closed(0, 0);
  #line: Line | undefined;
  /** How many messages this caller sent before the first one of this line. */
  #base = 0;
  /** How many messages were sent since the start, and how many of them are back or lost. */
  #sent = 0;
  #settled = 0;
  /** How many of the settled ones the run was not told of. */
  #arrivals = 0;
  /** The first so many messages belong to the warm-up; how many of these are back or lost. */
  #warmup = 0;
  #warmupSettled = 0;
  /** How many messages were taken for the connection that is being made. */
  #reserved = 0;
  #dialling = false;
  #closed = false;
  #attending = Promise.resolve();
  /** When dialling began, if the latency of the message includes it. */
  #since: number | undefined;

  constructor(run: RunState, block: Uint8Array<ArrayBuffer>, connection: number) {
    this.#run = run;
    this.#block = block;
    this.#connection = connection;
    const { pace, route, timeout } = run.plan;
    const window = pace.kind === "closed" ? pace.pipeline : 0;
    this.#route = { ...route, timeout, turns: run.turns, window, sendWindow: run.sendWindow };
  }

  /** Makes the line. Throws Failure. */
  async connect(): Promise<void> {
    const { timeout } = this.#run.plan;
    const signal = AbortSignal.timeout(timeout);
    try {
      this.#line = await openLine(this.#route, this.#block, this.#connection, signal);
      this.#run.connected(this.#line.peer);
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new Failure(
        `${
          unanswered(error)
        } within ${timeout} ms; a firewall drops it, or nobody accepts there (see --timeout)`,
      );
    }
  }

  /** Begins to send at this pace. */
  start(pace: Pace): void {
    this.#pace = pace;
    if (this.#line !== undefined) this.#attending = this.#attend(this.#line);
    this.pump(performance.now());
  }

  /** Whether no message is due. */
  idle(now: number): boolean {
    return this.#run.left === 0 || this.#allowed(now) <= 0;
  }

  /** Sends what is due. */
  pump(now: number): void {
    if (this.#closed) return;
    if (this.#line !== undefined) this.#line.nudge(this, now);
    else this.#dial(now);
  }

  wanted(now: number): number {
    const room = this.#base + this.#run.plan.messagesPerConnection - this.#sent;
    const n = this.#reserved + this.#take(Math.min(this.#allowed(now), room), now);
    this.#reserved = 0;
    return n;
  }

  back(k: number, sentAt: number, now: number): void {
    this.#settled++;
    this.#arrivals++;
    if (this.#base + k < this.#warmup) return void this.#warmupSettled++;
    this.#run.back(now - (this.#pace.due(this.#base + k) ?? this.#since ?? sentAt), now);
  }

  arrived(now: number): void {
    this.#settle(0, now);
    if (this.#settled - this.#base < this.#run.plan.messagesPerConnection) return;
    this.#hangUp();
    this.pump(now);
  }

  wrong(kind: FaultKind, text: string, spoilt?: number): void {
    const warmup = spoilt === undefined ? this.#warmingUp : this.#base + spoilt < this.#warmup;
    this.#run.error(kind, text, warmup);
    if (spoilt === undefined) return;
    this.#settled++;
    this.#arrivals++;
    if (warmup) this.#warmupSettled++;
    else this.#run.lost(1);
  }

  noted(anomaly: Anomaly, k: number | undefined, text: string): void {
    const warmup = k === undefined ? this.#warmingUp : this.#base + k < this.#warmup;
    if (!warmup) this.#run.noted(anomaly, text);
  }

  /** Counts as lost what has not come back in time. */
  sweep(now: number): void {
    const line = this.#line;
    if (line === undefined || this.#sent === this.#settled) return this.pump(now);
    const lost = line.expire(now - this.#run.plan.timeout);
    if (lost === 0) return;
    const why = `no reply within ${this.#run.plan.timeout} ms`;
    if (!this.#datagrams) return this.#broken(line.located(new Fault("timeout", why)));
    this.#timeouts(lost, why);
    this.#lose(lost, now);
    this.pump(now);
  }

  /** Ends the waiting: what is on its way is lost, and what is due stays unsent. */
  abandon(now: number): void {
    const lost = this.#sent - this.#settled;
    const unsent = Math.max(0, Math.min(this.#allowed(now), this.#run.left));
    const why = "no reply when the run was over";
    if (this.#datagrams) {
      this.#line?.expire(Infinity); // what comes yet is late
      this.#timeouts(lost, why);
    } else if (lost > 0) this.#run.error("timeout", why, this.#warmingUp);
    if (lost === 0 && unsent > 0) {
      this.#run.error("timeout", `${unsent} that were due could not be sent before the run was over`, false);
    }
    this.#lose(lost, now);
  }

  /** How many messages of the measurement are on their way. */
  get unfinished(): number {
    return this.#sent - this.#settled - this.#warmupOut;
  }

  /** Ends the connection, and reports what is wrong at its end. */
  async finish(): Promise<void> {
    this.#closed = true;
    this.#run.closing(this.#line?.kernelView());
    this.#line?.finish();
    await this.#attending;
    this.#line?.close();
  }

  get #datagrams(): boolean {
    return isDatagram(this.#run.plan.route.address);
  }

  /** How many messages of the warm-up are on their way. They were sent before all others that are. */
  get #warmupOut(): number {
    return this.#warmup - this.#warmupSettled;
  }

  /** Whether a fault of now belongs to the warm-up. */
  get #warmingUp(): boolean {
    return this.#pace.warming(this.#sent, performance.now());
  }

  /** Takes up to `n` of the messages that may still be sent. Returns how many. */
  #take(n: number, now: number): number {
    let taken = 0;
    while (taken < n && this.#pace.warming(this.#sent, now)) {
      taken++;
      this.#sent++;
      this.#warmup = this.#sent;
    }
    const measured = Math.max(0, Math.min(n - taken, this.#run.left));
    this.#sent += measured;
    this.#run.sent(measured);
    this.#run.outstanding += taken + measured;
    return taken + measured;
  }

  /** How many messages are due. */
  #allowed(now: number): number {
    if (this.#pace.due(0) === undefined && this.#run.finished(now)) return 0;
    return this.#pace.allowed(now, this.#settled) - this.#sent;
  }

  async #attend(line: Line): Promise<void> {
    try {
      await line.attend(this);
    } catch (error) {
      if (line === this.#line) this.#broken(fault(error));
    }
  }

  #hangUp(): void {
    this.#run.closing(this.#line?.kernelView());
    this.#line?.close();
    this.#line = undefined;
    this.#base = this.#sent;
  }

  /** The line broke: what is on its way is lost, and a new connection sends the next messages. */
  #broken({ kind, message }: Fault): void {
    const now = performance.now();
    const lost = this.#sent - this.#settled;
    this.#hangUp();
    this.#run.error(kind, message, this.#warmingUp || kind === "timeout" && this.#warmupOut > 0);
    this.#lose(lost, now);
    if (this.#closed || kind === "timeout") return this.pump(now);
    this.#dialling = true;
    setTimeout(() => {
      this.#dialling = false;
      this.pump(performance.now());
    }, PAUSE_MS);
  }

  /** Reports an error for each of `n` datagrams that did not come back. */
  #timeouts(n: number, why: string): void {
    const ofWarmup = Math.min(n, this.#warmupOut);
    for (let i = 0; i < n; i++) this.#run.error("timeout", why, i < ofWarmup);
  }

  /** Tells the run of what arrived, also just before a line broke, and of `lost` messages more. */
  #settle(lost: number, now: number): void {
    const n = this.#arrivals + lost;
    this.#arrivals = 0;
    this.#run.settled(n, now);
  }

  /** Counts the `n` oldest messages that are on their way as lost. */
  #lose(n: number, now: number): void {
    const ofWarmup = Math.min(n, this.#warmupOut);
    this.#settled += n;
    this.#warmupSettled += ofWarmup;
    this.#run.lost(n - ofWarmup);
    this.#settle(n, now);
  }

  /** Makes the next connection, if a message is due. If that fails, the message is lost. */
  #dial(now: number): void {
    if (this.#dialling || this.idle(now)) return;
    this.#dialling = true;
    this.#reserved = this.#take(1, now);
    this.#since = this.#run.plan.messagesPerConnection === 1 ? now : undefined;
    this.connect().then(
      () => {
        this.#dialling = false;
        const line = this.#line;
        if (line === undefined) return;
        if (this.#closed) return line.close();
        this.#attending = this.#attend(line);
        this.pump(performance.now());
      },
      (error) => {
        const { kind, message } = fault(error);
        const at = performance.now();
        this.#run.error(kind, message, this.#warmupOut > 0);
        this.#base = this.#sent;
        this.#lose(this.#reserved, at);
        this.#reserved = 0;
        setTimeout(() => {
          this.#dialling = false;
          this.pump(performance.now());
        }, PAUSE_MS);
      },
    );
  }
}
