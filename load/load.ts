/** The load loop of one thread: rate, count, duration and transport are values that it is given. */

import { randomBlock } from "../probe/messages.ts";
import { engineTraits } from "../net/engine.ts";
import { datagramWindow } from "../net/datagrams.ts";
import type { KernelView } from "../base/kernel_view.ts";
import { pauseOf } from "../net/pauses.ts";
import { SendWindow } from "../net/send_window.ts";
import { Turns } from "../net/turns.ts";
import { Caller, type RunState } from "./caller.ts";
import { alarmOf, openTimer } from "./alarms.ts";
import { type Alarm, keepTime, type Schedule } from "./clock.ts";
import type { Anomaly, AnomalyCounts, FaultKind } from "../probe/line.ts";
import { closed, open } from "./pace.ts";
import type { Plan } from "./plan.ts";
import { Standstill } from "./standstill.ts";
import type { RunTotals } from "./totals.ts";

/** Is told what is measured, and what goes wrong. */
export interface LoadObserver {
  /** A message of the measurement is back. */
  latency(ms: number): void;
  /** A message of the measurement was sent, so many milliseconds after it was due. */
  delay(ms: number): void;
  /** Something went wrong, once, however many messages it cost. */
  error(kind: FaultKind, text: string, warmup: boolean): void;
}

/** How often messages are looked for that have not come back in time. */
const SWEEP_MS = 20;
/** Sums of times may be wrong by this share of an interval. */
const ROUNDING = 1e-6;
/** How many connections are made at once: fewer than the backlog of any listener (listen(2)). */
const MAX_DIALS = 100;

/** One thread's part of a run: `connect`, then `run`, then `totals`. */
export class Load implements RunState {
  readonly plan: Plan;
  readonly turns: Turns | undefined;
  readonly sendWindow: SendWindow | undefined;
  readonly #observer: LoadObserver;
  readonly #callers: Caller[];
  readonly #over = Promise.withResolvers<void>();
  readonly #stopped = new AbortController();
  readonly #peers = new Set<string>();
  #retransmits: number | null = null;
  /** Where messages are sent by the clock. */
  #alarm: Alarm | undefined;
  /** Of its standstills. */
  #watch: Alarm | undefined;
  left: number;
  /** When the measurement begins and ends, in milliseconds of performance.now(). */
  begin = Infinity;
  end = Infinity;
  outstanding = 0;
  /** How many messages of the measurement. */
  #sent = 0;
  #received = 0;
  #lost = 0;
  readonly #anomalies: AnomalyCounts = { late: 0, reordered: 0, stray: 0 };
  #firstStray: string | undefined;
  /** When the last reply of the measurement came. */
  #lastBack = 0;
  /** When the last message was back or lost. */
  #lastSettled = 0;
  /** When the run was over. */
  #overAt = 0;
  /** For how many milliseconds of the measurement this process stood still. */
  #stoodStill = 0;
  /** With a rate: when each message is due, and how many of them belong to the warm-up. */
  #schedule: Schedule | undefined;
  #warmup = 0;
  /** How many messages were due and not sent, and due and not back: at half time, and when the time was over. */
  readonly #backlogs: { readonly unsent: number; readonly open: number }[] = [];

  constructor(plan: Plan, observer: LoadObserver) {
    this.plan = plan;
    this.#observer = observer;
    this.left = plan.messages;
    this.turns = engineTraits(plan.route.dial.engine).needsTurns ? new Turns() : undefined;
    if (plan.pace.kind === "open") {
      const size = Math.ceil(datagramWindow(plan.route.size) / plan.workers);
      this.sendWindow = new SendWindow(size, plan.pace.perSecond, pauseOf(plan.route.dial.engine));
    }
    const block = randomBlock(plan.seed);
    this.#callers = Array.from(
      { length: plan.connections },
      (_, i) => new Caller(this, block, plan.first + i),
    );
  }

  /** Makes the connections, unless each message has its own. Throws Failure if one of them fails. */
  async connect(): Promise<void> {
    this.#watch = await openTimer(this.plan);
    if (this.plan.pace.kind === "open") {
      this.#alarm = await alarmOf(this.plan);
    }
    if (this.plan.messagesPerConnection === 1) return;
    for (let i = 0; i < this.#callers.length; i += MAX_DIALS) {
      await Promise.all(this.#callers.slice(i, i + MAX_DIALS).map((caller) => caller.connect()));
    }
  }

  /** Runs until all is sent and is back or lost. When `stop` aborts, it does not wait for what is on its way. */
  async run(stop: AbortSignal): Promise<void> {
    const { pace, warmup, duration } = this.plan;
    const start = performance.now();
    this.begin = start + warmup;
    this.end = this.begin + duration;
    this.#lastBack = this.#lastSettled = this.begin;
    const standstill = new Standstill(this.begin, this.#watch!);
    const sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
    const end = () => this.#over.resolve();
    stop.addEventListener("abort", end, { once: true });
    if (stop.aborted) end();
    if (pace.kind === "open") this.#sendByClock(1000 / pace.perSecond, start + pace.phase);
    else this.#callers.forEach((caller) => caller.start(closed(pace.pipeline, this.begin)));
    await this.#over.promise;
    this.#overAt = performance.now();
    standstill.end();
    this.#stoodStill = standstill.ms;
    clearInterval(sweeper);
    await Promise.all(this.#callers.map((caller) => caller.finish()));
    this.#stopped.abort();
  }

  /** The first message is due at `first`, then one each `interval` ms, on each connection in turn. */
  #sendByClock(interval: number, first: number): void {
    const { connections, messages } = this.plan;
    const before = (time: number) => Math.max(0, Math.ceil((time - first) / interval - ROUNDING));
    const warmup = before(this.begin);
    this.end = Math.min(this.end, first + (warmup + messages) * interval);
    const schedule = { first, interval, count: before(this.end) };
    this.#schedule = schedule;
    this.#warmup = warmup;
    // How many of the first n messages are on connection i.
    const share = (n: number, i: number) => Math.max(0, Math.ceil((n - i) / connections));
    this.#callers.forEach((caller, i) => {
      const its = [share(schedule.count, i), share(warmup, i)] as const;
      caller.start(open(first + i * interval, interval * connections, ...its));
    });
    keepTime(
      schedule,
      connections,
      (i, now) => this.#callers[i]!.pump(now),
      (m, now) => {
        if (m >= warmup) this.#observer.delay(Math.max(0, now - (first + m * interval)));
      },
      this.#alarm!,
      this.#stopped.signal,
    );
  }

  /**
   * How many milliseconds the measurement took. It ends with its time or with the last reply, whichever is later. If
   * all of a given number of messages were sent before, it ends when the last of them was back or lost. If it was
   * stopped, or nothing came back, it ends with the run.
   */
  #took(stopped: boolean): number {
    const counted = this.plan.pace.kind === "closed" && this.left === 0;
    const last = counted ? this.#lastSettled : Math.max(this.end, this.#lastBack);
    const end = stopped || last <= this.begin || !Number.isFinite(last) ? this.#overAt : last;
    return Math.max(end - this.begin, 0);
  }

  /** What became of all messages, when it is over; `stopped`: because `run` was stopped. */
  totals(stopped: boolean): RunTotals {
    const now = Math.min(this.#overAt, this.end);
    const [half, over] = [this.#backlogs[0], this.#backlogs[1] ?? this.#backlog(now)];
    return {
      peers: [...this.#peers],
      retransmits: this.#retransmits,
      ms: this.#took(stopped),
      due: this.#schedule === undefined ? null : this.#due(now),
      sent: this.#sent,
      received: this.#received,
      lost: this.#lost,
      anomalies: this.#anomalies,
      firstStray: this.#firstStray,
      stoodStill: this.#stoodStill,
      unfinished: this.#callers.reduce((sum, caller) => sum + caller.unfinished, 0),
      unsent: over.unsent,
      growth: half === undefined ? 0 : over.open - half.open,
    };
  }

  /** How many messages of the measurement were due by then. */
  #due(now: number): number {
    if (this.#schedule === undefined) return 0;
    const { first, interval, count } = this.#schedule;
    return Math.max(0, Math.min(Math.floor((now - first) / interval) + 1, count) - this.#warmup);
  }

  #backlog(now: number): { unsent: number; open: number } {
    const due = this.#due(now);
    return { unsent: Math.max(0, due - this.#sent), open: due - this.#received - this.#lost };
  }

  connected(peer: string | undefined): void {
    if (peer !== undefined) this.#peers.add(peer);
  }

  closing(view: KernelView | undefined): void {
    if (view !== undefined) this.#retransmits = (this.#retransmits ?? 0) + view.retransmits;
  }

  finished(now: number): boolean {
    return this.left === 0 || now >= this.end;
  }

  sent(measured: number): void {
    this.#sent += measured;
    this.left -= measured;
  }

  settled(n: number, now: number): void {
    this.outstanding -= n;
    if (n > 0) this.#lastSettled = now;
    if (this.outstanding === 0 && this.finished(now) && this.#callers.every((caller) => caller.idle(now))) {
      this.#over.resolve();
    }
  }

  back(latency: number, now: number): void {
    this.#received++;
    this.#lastBack = now;
    this.#observer.latency(latency);
  }

  noted(anomaly: Anomaly, text: string): void {
    this.#anomalies[anomaly]++;
    if (anomaly === "stray") this.#firstStray ??= text;
  }

  lost(measured: number): void {
    this.#lost += measured;
  }

  error(kind: FaultKind, text: string, warmup: boolean): void {
    if (!this.#stopped.signal.aborted) this.#observer.error(kind, text, warmup);
  }

  #sweep(): void {
    const now = performance.now();
    for (const caller of this.#callers) caller.sweep(now);
    this.settled(0, now);
    const times = [(this.begin + this.end) / 2, this.end];
    if (now >= times[this.#backlogs.length]!) this.#backlogs.push(this.#backlog(now));
    if (now < this.end + this.plan.timeout) return;
    for (const caller of this.#callers) caller.abandon(now);
    this.#over.resolve();
  }
}
