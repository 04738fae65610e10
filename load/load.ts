/** The one load loop: rate, count, duration and transport are values that it is given. */

import { Failure } from "../net/errors.ts";
import { randomBlock } from "../net/messages.ts";
import { keepTime, type Punctuality } from "./clock.ts";
import { Fault, fault, type Kind, type Line, type Owner } from "./line.ts";
import { openLine, type Route } from "./open_line.ts";
import { closed, open, type Pace, type PacePlan } from "./pace.ts";

/** One worker's share of a run. Plain data: it is posted to the worker. Times are milliseconds. */
export interface Plan {
  readonly route: Omit<Route, "window">;
  readonly connections: number;
  /** The number of the first connection, among those of all workers. */
  readonly first: number;
  readonly seed: number;
  readonly pace: PacePlan;
  /** A connection serves so many messages, then comes the next; connecting is part of the first one's time. */
  readonly messagesPerConnection: number;
  /** How many messages in all; Infinity: no limit. */
  readonly messages: number;
  /** Of the measurement, after the warm-up; Infinity: no limit. */
  readonly duration: number;
  readonly warmup: number;
  /** For connecting, and for each reply. */
  readonly timeout: number;
}

/** Told of what is measured, after the warm-up. */
export interface Record {
  latency(ms: number): void;
  error(kind: Kind, n: number, text: string): void;
}

/** How often replies that do not come are looked for. */
const SWEEP_MS = 20;
/** Before a connection that failed is made again. */
const PAUSE_MS = 100;
/** So many connections are made at once: fewer than any listener's backlog. */
const DIALS = 100;

export class Load {
  readonly plan: Plan;
  readonly #record: Record;
  readonly #callers: Caller[];
  readonly #over = Promise.withResolvers<void>();
  readonly #stopped = new AbortController();
  /** Messages that may still be sent. */
  left: number;
  /** Of performance.now(): the measurement goes from here to there. */
  begin = Infinity;
  end = Infinity;
  /** On their way, over all connections. */
  outstanding = 0;
  /** When the last reply came. */
  lastAt = 0;
  punctuality: Punctuality = { ticks: 0, late: 0 };

  constructor(plan: Plan, record: Record) {
    this.plan = plan;
    this.#record = record;
    this.left = plan.messages;
    const block = randomBlock(plan.seed);
    this.#callers = Array.from(
      { length: plan.connections },
      (_, i) => new Caller(this, block, plan.first + i),
    );
  }

  /** Makes the connections, unless each message has its own. Throws Failure if one of them fails. */
  async connect(): Promise<void> {
    if (this.plan.messagesPerConnection === 1) return;
    for (let i = 0; i < this.#callers.length; i += DIALS) {
      await Promise.all(this.#callers.slice(i, i + DIALS).map((caller) => caller.connect()));
    }
  }

  /** Runs until all is sent and is back or given up. When `stop` aborts, what is on its way is left alone. */
  async run(stop: AbortSignal): Promise<void> {
    const start = performance.now();
    this.begin = start + this.plan.warmup;
    const { pace, connections } = this.plan;
    const interval = pace.kind === "open" ? 1000 / pace.perSecond : 0;
    this.end = this.begin + this.plan.duration;
    if (pace.kind === "open") this.end = Math.min(this.end, start + (this.plan.messages - 0.5) * interval);
    this.lastAt = this.begin;
    const sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    const end = () => this.#over.resolve();
    stop.addEventListener("abort", end, { once: true });
    if (stop.aborted) end();
    if (pace.kind === "open") {
      this.#callers.forEach((caller, i) =>
        caller.run(open(start + i * interval, interval * connections, this.end))
      );
      this.punctuality = keepTime(
        { begin: start, interval, end: this.end },
        connections,
        (i, now) => this.#callers[i]!.pump(now),
        this.#stopped.signal,
      );
    } else {
      this.#callers.forEach((caller) => caller.run(closed(pace.pipeline)));
    }
    await this.#over.promise;
    this.#stopped.abort();
    clearInterval(sweeper);
    for (const caller of this.#callers) caller.close();
  }

  /**
   * Milliseconds of the measurement: to its end or the last reply, whichever was later; to now, if it was stopped
   * or nothing came back.
   */
  took(stopped: boolean): number {
    const last = Number.isFinite(this.end) ? Math.max(this.end, this.lastAt) : this.lastAt;
    const end = stopped || last <= this.begin ? performance.now() : last;
    return Math.max(end - this.begin, 0);
  }

  /** Whether nothing more is to be sent. */
  finished(now: number): boolean {
    return this.left === 0 || now >= this.end;
  }

  /** To be called when messages are settled. */
  settled(n: number, now: number): void {
    this.outstanding -= n;
    if (this.outstanding === 0 && this.finished(now) && this.#callers.every((caller) => caller.idle(now))) {
      this.#over.resolve();
    }
  }

  back(latency: number, start: number, now: number): void {
    if (start < this.begin) return;
    this.lastAt = now;
    this.#record.latency(latency);
  }

  error(kind: Kind, n: number, text: string, now: number): void {
    if (now >= this.begin && !this.#stopped.signal.aborted) this.#record.error(kind, n, text);
  }

  #sweep(): void {
    const now = performance.now();
    for (const caller of this.#callers) caller.sweep(now);
    this.settled(0, now);
    if (now < this.end + this.plan.timeout) return;
    for (const caller of this.#callers) caller.giveUp(now);
    this.#over.resolve();
  }
}

/** One of the connections, and those that come after it when it fails or has served its messages. */
class Caller implements Owner {
  readonly #load: Load;
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

  constructor(load: Load, block: Uint8Array<ArrayBuffer>, connection: number) {
    this.#load = load;
    this.#block = block;
    this.#connection = connection;
    const { pace, route } = load.plan;
    this.#route = { ...route, window: pace.kind === "closed" ? pace.pipeline : 0 };
  }

  async connect(): Promise<void> {
    const { timeout } = this.#load.plan;
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
    return this.#load.left === 0 || this.#allowed(now) <= 0;
  }

  /** Sends what is due and was not sent. */
  pump(now: number): void {
    if (this.#closed) return;
    if (this.#line !== undefined) this.#line.nudge(this, now);
    else this.#dial(now);
  }

  wanted(now: number): number {
    const room = this.#base + this.#load.plan.messagesPerConnection - this.#sent;
    const n = this.#reserved + this.#take(Math.min(this.#allowed(now), room));
    this.#reserved = 0;
    return n;
  }

  back(k: number, sentAt: number, now: number): void {
    const start = this.#pace.due(this.#base + k) ?? this.#since ?? sentAt;
    this.#settled++;
    this.#arrivals++;
    this.#load.back(now - start, start, now);
  }

  arrived(now: number): void {
    this.#load.settled(this.#arrivals, now);
    this.#arrivals = 0;
    if (this.#settled - this.#base < this.#load.plan.messagesPerConnection) return;
    this.#hangUp();
    this.pump(now);
  }

  wrong(kind: Kind, text: string): void {
    this.#load.error(kind, 1, text, performance.now());
  }

  /** Looks for replies that did not come in time. */
  sweep(now: number): void {
    const line = this.#line;
    if (line === undefined || this.#sent === this.#settled) return this.pump(now);
    const lost = line.giveUp(now - this.#load.plan.timeout);
    if (lost === 0) return;
    const why = `no reply within ${this.#load.plan.timeout} ms`;
    if (this.#load.plan.route.address.scheme !== "udp") return this.#broken(new Fault("timeout", why));
    this.#settle(lost, now);
    this.#load.error("timeout", lost, why, now);
    this.pump(now);
  }

  /** Counts what is due and could not be sent, or did not come back. */
  giveUp(now: number): void {
    const lost = this.#sent - this.#settled + Math.max(0, Math.min(this.#allowed(now), this.#load.left));
    if (lost > 0) this.#load.error("timeout", lost, "not sent, or no reply, when the run was over", now);
  }

  close(): void {
    this.#closed = true;
    this.#line?.close();
  }

  /** Takes up to `n` messages from those that may still be sent. */
  #take(n: number): number {
    const taken = Math.max(0, Math.min(n, this.#load.left));
    this.#sent += taken;
    this.#load.left -= taken;
    this.#load.outstanding += taken;
    return taken;
  }

  /** How many messages are due. */
  #allowed(now: number): number {
    if (this.#pace.due(0) === undefined && this.#load.finished(now)) return 0;
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
    this.#load.error(kind, Math.max(lost, 1), message, now);
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
    this.#load.settled(n, now);
  }

  /** Makes the next connection, when there is something to send; that message is spoken for, whatever happens. */
  #dial(now: number): void {
    if (this.#dialling || this.idle(now)) return;
    this.#dialling = true;
    this.#reserved = this.#take(1);
    this.#since = this.#load.plan.messagesPerConnection === 1 ? now : undefined;
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
        this.#load.error(kind, 1, message, at);
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
