/** One connection under load, and those that come after it when it fails or has served its messages. */

import { Failure } from "../net/errors.ts";
import { Fault, fault, type Kind, type Line, type Owner } from "./line.ts";
import { openLine, type Route } from "./open_line.ts";
import { closed, type Pace } from "./pace.ts";
import type { Plan } from "./plan.ts";
import type { Turns } from "../net/turns.ts";

/** Before a connection that failed is made again. */
const PAUSE_MS = 100;

/** What the connections of a run share. Times are of performance.now(). */
export interface Run {
  readonly plan: Plan;
  readonly turns: Turns;
  /** Messages that may still be sent. */
  left: number;
  /** Messages on their way. */
  outstanding: number;
  /** Whether nothing more is to be sent. */
  finished(now: number): boolean;
  /** Told of a message that is back, `latency` after its `start`. */
  back(latency: number, start: number, now: number): void;
  /** Told of `n` messages that are back or lost. */
  settled(n: number, now: number): void;
  error(kind: Kind, n: number, text: string, now: number): void;
}

export class Caller implements Owner {
  readonly #run: Run;
  readonly #block: Uint8Array<ArrayBuffer>;
  readonly #connection: number;
  readonly #route: Route;
  #pace: Pace = closed(0);
  #line: Line | undefined;
  /** Messages of this caller before the first one of this line. */
  #base = 0;
  /** Messages sent, and those of them that are back or lost, since the start. */
  #sent = 0;
  #settled = 0;
  #arrivals = 0;
  /** Taken for the connection that is being made. */
  #reserved = 0;
  #dialling = false;
  #closed = false;
  /** When the dial began, where it counts as part of the message's time. */
  #since: number | undefined;

  constructor(run: Run, block: Uint8Array<ArrayBuffer>, connection: number) {
    this.#run = run;
    this.#block = block;
    this.#connection = connection;
    const { pace, route } = run.plan;
    this.#route = { ...route, turns: run.turns, window: pace.kind === "closed" ? pace.pipeline : 0 };
  }

  async connect(): Promise<void> {
    const { timeout } = this.#run.plan;
    const signal = AbortSignal.timeout(timeout);
    try {
      this.#line = await openLine(this.#route, this.#block, this.#connection, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new Failure(
        `no connection within ${timeout} ms; a firewall drops it, or nobody accepts there (see --timeout)`,
      );
    }
  }

  run(pace: Pace): void {
    this.#pace = pace;
    if (this.#line !== undefined) this.#attend(this.#line);
    this.pump(performance.now());
  }

  /** Nothing is due any more. */
  idle(now: number): boolean {
    return this.#run.left === 0 || this.#allowed(now) <= 0;
  }

  /** Sends what is due and was not sent. */
  pump(now: number): void {
    if (this.#closed) return;
    if (this.#line !== undefined) this.#line.nudge(this, now);
    else this.#dial(now);
  }

  wanted(now: number): number {
    const room = this.#base + this.#run.plan.messagesPerConnection - this.#sent;
    const n = this.#reserved + this.#take(Math.min(this.#allowed(now), room));
    this.#reserved = 0;
    return n;
  }

  back(k: number, sentAt: number, now: number): void {
    const start = this.#pace.due(this.#base + k) ?? this.#since ?? sentAt;
    this.#settled++;
    this.#arrivals++;
    this.#run.back(now - start, start, now);
  }

  arrived(now: number): void {
    this.#run.settled(this.#arrivals, now);
    this.#arrivals = 0;
    if (this.#settled - this.#base < this.#run.plan.messagesPerConnection) return;
    this.#hangUp();
    this.pump(now);
  }

  wrong(kind: Kind, text: string): void {
    this.#run.error(kind, 1, text, performance.now());
  }

  /** Looks for replies that did not come in time. */
  sweep(now: number): void {
    const line = this.#line;
    if (line === undefined || this.#sent === this.#settled) return this.pump(now);
    const lost = line.giveUp(now - this.#run.plan.timeout);
    if (lost === 0) return;
    const why = `no reply within ${this.#run.plan.timeout} ms`;
    if (this.#run.plan.route.address.scheme !== "udp") return this.#broken(new Fault("timeout", why));
    this.#settle(lost, now);
    this.#run.error("timeout", lost, why, now);
    this.pump(now);
  }

  /** Counts what is due and could not be sent, or did not come back. */
  giveUp(now: number): void {
    const lost = this.#sent - this.#settled + Math.max(0, Math.min(this.#allowed(now), this.#run.left));
    if (lost > 0) this.#run.error("timeout", lost, "not sent, or no reply, when the run was over", now);
  }

  close(): void {
    this.#closed = true;
    this.#line?.close();
  }

  /** Takes up to `n` messages from those that may still be sent. */
  #take(n: number): number {
    const taken = Math.max(0, Math.min(n, this.#run.left));
    this.#sent += taken;
    this.#run.left -= taken;
    this.#run.outstanding += taken;
    return taken;
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
      if (line === this.#line && !this.#closed) this.#broken(fault(error));
    }
  }

  #hangUp(): void {
    this.#line?.close();
    this.#line = undefined;
    this.#base = this.#sent;
  }

  /** What is on its way is lost; the next connection goes on with the messages after it. */
  #broken({ kind, message }: Fault): void {
    const now = performance.now();
    const lost = this.#sent - this.#settled;
    this.#hangUp();
    this.#run.error(kind, Math.max(lost, 1), message, now);
    this.#settle(lost, now);
    if (kind === "timeout") return this.pump(now);
    this.#dialling = true;
    setTimeout(() => {
      this.#dialling = false;
      this.pump(performance.now());
    }, PAUSE_MS);
  }

  #settle(n: number, now: number): void {
    this.#settled += n;
    this.#run.settled(n, now);
  }

  /** Makes the next connection, when there is something to send; that message is spoken for, whatever happens. */
  #dial(now: number): void {
    if (this.#dialling || this.idle(now)) return;
    this.#dialling = true;
    this.#reserved = this.#take(1);
    this.#since = this.#run.plan.messagesPerConnection === 1 ? now : undefined;
    this.connect().then(
      () => {
        this.#dialling = false;
        const line = this.#line;
        if (line === undefined) return;
        if (this.#closed) return line.close();
        this.#attend(line);
        this.pump(performance.now());
      },
      (error) => {
        const { kind, message } = fault(error);
        const at = performance.now();
        this.#run.error(kind, 1, message, at);
        this.#base = this.#sent;
        this.#settle(this.#reserved, at);
        this.#reserved = 0;
        setTimeout(() => {
          this.#dialling = false;
          this.pump(performance.now());
        }, PAUSE_MS);
      },
    );
  }
}
