/** The one load loop: rate, count, duration and transport are values that it is given. */

import { randomBlock } from "../net/messages.ts";
import { Turns } from "../net/turns.ts";
import { Caller, type Run } from "./caller.ts";
import { keepTime, type Punctuality, Turner } from "./clock.ts";
import type { Kind } from "./line.ts";
import { closed, open } from "./pace.ts";
import type { Plan } from "./plan.ts";

/** Told of what is measured, after the warm-up. */
export interface Record {
  latency(ms: number): void;
  error(kind: Kind, n: number, text: string): void;
}

/** How often replies that do not come are looked for. */
const SWEEP_MS = 20;
/** The share of an interval by which sums of times may be off. */
const ROUNDING = 1e-6;
/** So many connections are made at once: fewer than any listener's backlog. */
const DIALS = 100;

export class Load implements Run {
  readonly plan: Plan;
  readonly turns = new Turns();
  readonly #record: Record;
  readonly #callers: Caller[];
  readonly #over = Promise.withResolvers<void>();
  readonly #stopped = new AbortController();
  /** Where messages are sent by the clock. */
  #turner: Turner | undefined;
  left: number;
  /** Of performance.now(): the measurement goes from here to there. */
  begin = Infinity;
  end = Infinity;
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
    if (this.plan.pace.kind === "open") this.#turner = await Turner.open();
    if (this.plan.messagesPerConnection === 1) return;
    for (let i = 0; i < this.#callers.length; i += DIALS) {
      await Promise.all(this.#callers.slice(i, i + DIALS).map((caller) => caller.connect()));
    }
  }

  /** Runs until all is sent and is back or given up. When `stop` aborts, what is on its way is left alone. */
  async run(stop: AbortSignal): Promise<void> {
    const { pace, warmup, duration } = this.plan;
    const start = performance.now();
    this.begin = start + warmup;
    this.end = this.begin + duration;
    this.lastAt = this.begin;
    const sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    const end = () => this.#over.resolve();
    stop.addEventListener("abort", end, { once: true });
    if (stop.aborted) end();
    if (pace.kind === "open") this.#sendByClock(1000 / pace.perSecond, start + pace.phase);
    else this.#callers.forEach((caller) => caller.run(closed(pace.pipeline)));
    await this.#over.promise;
    this.#stopped.abort();
    clearInterval(sweeper);
    for (const caller of this.#callers) caller.close();
  }

  /** The first message is due at `first`, then one each `interval` ms, on each connection in turn. */
  #sendByClock(interval: number, first: number): void {
    const { connections, messages } = this.plan;
    this.end = Math.min(this.end, first + messages * interval);
    const due = Math.ceil((this.end - first) / interval - ROUNDING);
    const lastDue = first + (due - 0.5) * interval;
    this.#callers.forEach((caller, i) =>
      caller.run(open(first + i * interval, interval * connections, lastDue))
    );
    this.punctuality = keepTime(
      { begin: first, interval, end: lastDue },
      connections,
      (i, now) => this.#callers[i]!.pump(now),
      this.#turner!,
      this.#stopped.signal,
    );
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

  finished(now: number): boolean {
    return this.left === 0 || now >= this.end;
  }

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
