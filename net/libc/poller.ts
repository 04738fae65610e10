/** The event loop of our own: epoll(7), edge-triggered, beside the event loop of Deno in the same thread. */

import { setImmediate } from "node:timers";
import { close, epoll, EVENT, Events, waitSharply, watch, watchAgain } from "./libc.ts";

/** What the poller tells of a descriptor. */
export interface Source {
  /** Set by the poller. A number that is used again by another source comes with another check. */
  check: number;
  /** A sum of EVENT. */
  onEvents(events: number): void;
  /** It asked for it with `again`. */
  onTurn(): void;
  /** Closes its descriptor. */
  close(): void;
}

/** Few enough that what was read of a socket is still in the processor's cache when it is written back. */
const MOST_EVENTS = 64;
/**
 * tokio, under Deno's event loop, looks for what has arrived only after 61 tasks (its `event_interval`), or when it has
 * nothing to do. A turn of so many rounds has such a look in it. They take 0.2 to 0.5 ms, so that between two of them
 * our own events are looked for too.
 */
const ROUNDS = 62;
/** But after so long the rest of the rounds goes by without: of large messages what is found takes far longer. */
const TURN_MS = 2;
/**
 * After so long without an event the wait is left to another thread, and this one to Deno: an idle server takes no time
 * at all then, and the next event comes 0.2 ms late. A server's thread waits on its own for much longer than a client's
 * main thread, where keys and signals come, and which is exact only for what comes soon after it has sent.
 */
const LINGER_MS = { worker: 2000, main: 250 };
/**
 * So many promise jobs in a row may lie between two calls of a task to its stream. While somebody calls, this waits so
 * many again: whoever is about to call must not wait for the end of an epoll_wait.
 */
const JOBS = 8;
/** The same where a connection is made or closed: from there the way to the next call leads through many functions. */
const MANY_JOBS = 64;

const IN_WORKER = "DedicatedWorkerGlobalScope" in globalThis;

interface Timer {
  readonly at: number;
  readonly resolve: () => void;
}

class Poller {
  #epoll = epoll();
  readonly #events = new Events(MOST_EVENTS);
  readonly #outside = new Events(1);
  /** By their descriptors. */
  readonly #sources: (Source | undefined)[] = [];
  #watched = 0;
  #checks = 0;
  #running = false;
  /** The last event, or whatever else makes one likely: performance.now(). */
  #warm = 0;
  /** An epoll instance that tells of events in the other one, and takes none of them away. */
  #outer = epoll();
  /** The wait of another thread, which may outlive the rest that began it. */
  #beside: Promise<unknown> | undefined;
  /** Ends a rest. */
  #wake = () => {};
  readonly #again: Source[] = [];
  /** How many await what Deno's event loop does. */
  #left = 0;
  /** The next one last. */
  readonly #timers: Timer[] = [];
  /**
   * How often Deno's own event loop gets its turn under load, and how long the longest wait without it is: its timers,
   * signals, files and the messages of other threads wait for it.
   */
  sliceMs = 20;
  /** When the last wait ended, of performance.now(): by then all that it found had come. */
  wokeAt = 0;
  /** Somebody has called since it was cleared: there may be more calls to come. */
  busy = false;
  /** The same of a connection that was made or closed since. */
  changing = false;

  constructor() {
    watch(this.#outer, this.#epoll, EVENT.in, 0);
    if (IN_WORKER) waitSharply();
  }

  /** Watches a descriptor until `forget`. */
  add(fd: number, source: Source, events: number): void {
    source.check = this.#checks = this.#checks + 1 | 0;
    watch(this.#epoll, fd, events | EVENT.edge, source.check);
    this.#sources[fd] = source;
    this.#watched++;
    this.#start();
  }

  /** For other events from now on; what is so already is told again. */
  change(fd: number, source: Source, events: number): void {
    watchAgain(this.#epoll, fd, events | EVENT.edge, source.check);
  }

  /** It is about to be closed, which takes it out of the epoll instance. */
  forget(fd: number): void {
    this.#sources[fd] = undefined;
    this.#watched--;
    if (this.#watched === 0) this.#wake();
  }

  /** Calls `onTurn` after the others have had theirs: for whoever could go on for ever. */
  again(source: Source): void {
    this.#again.push(source);
    this.#wake();
  }

  /**
   * An event is likely to come soon, as a reply after what was sent, and it is worth to hold up the thread, so as to
   * learn of it at once.
   */
  expect(): void {
    this.#warm = performance.now();
    this.#wake();
  }

  /** Nothing is expected any more: the thread is Deno's, but for what comes all the same. */
  calm(): void {
    if (!IN_WORKER) this.#warm = -Infinity;
  }

  /** Lets Deno's event loop turn until `work` is done, which is its business. Our own events are seen all the same. */
  async leave<T>(work: Promise<T>): Promise<T> {
    this.#left++;
    this.#wake();
    try {
      return await work;
    } finally {
      this.#left--;
      this.changing = true;
    }
  }

  /** Resolves at that time of performance.now(), exact to some microseconds; at once where it is over. */
  at(time: number): Promise<void> {
    return new Promise((resolve) => {
      let i = this.#timers.length;
      while (i > 0 && (this.#timers[i - 1]?.at ?? 0) < time) i--;
      this.#timers.splice(i, 0, { at: time, resolve });
      this.expect();
      this.#start();
    });
  }

  /** Closes all descriptors: for a thread that dies, as the process would keep them. */
  closeAll(): void {
    for (const source of this.#sources) source?.close();
    if (this.#epoll === -1) return;
    for (const epoll of [this.#epoll, this.#outer]) close(epoll);
    this.#epoll = this.#outer = -1;
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#warm = performance.now();
    this.#run();
  }

  async #run(): Promise<void> {
    await undefined; // whoever starts it still has something to set up
    let now = performance.now();
    let turnAt = now;
    let rounds = 0;
    while (this.#watched > 0 || this.#timers.length > 0) {
      if (rounds > 0 && performance.now() - turnAt >= TURN_MS) {
        for (; rounds > 0; rounds--) await round();
        now = turnAt = performance.now();
      }
      const turns = rounds > 0 || this.#left > 0;
      const warm = turns || this.#isWarm(now);
      const n = turns ? this.#events.wait(this.#epoll, 0) : warm ? this.#wait() : await this.#rest();
      now = this.wokeAt = performance.now();
      if (!warm) turnAt = now; // that was one
      if (n > 0 && IN_WORKER) this.#warm = now;
      this.#dispatch(n);
      do {
        this.busy = false;
        const jobs = this.changing ? MANY_JOBS : JOBS;
        this.changing = false;
        for (let job = 0; job < jobs; job++) await undefined;
      } while (this.busy || this.changing);
      if (turns) {
        await round();
        if (rounds > 0 && --rounds === 0) turnAt = now;
      } else if (now - turnAt >= this.sliceMs) {
        rounds = ROUNDS;
        turnAt = now;
      }
    }
    this.#running = false;
  }

  #isWarm(now: number): boolean {
    if (this.#again.length > 0 || this.#timers.length > 0) return true;
    return now - this.#warm < (IN_WORKER ? LINGER_MS.worker : LINGER_MS.main);
  }

  #wait(): number {
    if (this.#again.length > 0) return this.#events.wait(this.#epoll, 0);
    const next = this.#timers.at(-1);
    const ms = next === undefined ? Infinity : next.at - performance.now();
    if (ms >= this.sliceMs) return this.#events.wait(this.#epoll, this.sliceMs);
    return this.#events.waitExactly(this.#epoll, ms);
  }

  /** Waits outside of this thread, until something has come or is expected. */
  async #rest(): Promise<number> {
    this.#beside ??= this.#outside.waitBeside(this.#outer).finally(() => this.#beside = undefined);
    await Promise.race([this.#beside, new Promise<void>((resolve) => this.#wake = resolve)]);
    this.#wake = () => {};
    return this.#events.wait(this.#epoll, 0);
  }

  #dispatch(n: number): void {
    const events = this.#events;
    for (let i = 0; i < n; i++) {
      const fd = events.fd(i);
      const source = this.#sources[fd];
      if (source !== undefined && source.check === events.check(i)) source.onEvents(events.events(i));
    }
    // As many as one wait finds events, so that a turn of this loop is short.
    if (this.#again.length > 0) {
      for (const source of this.#again.splice(0, MOST_EVENTS)) source.onTurn();
    }
    if (this.#timers.length > 0) this.#expire();
  }

  #expire(): void {
    const now = performance.now();
    for (let next = this.#timers.at(-1); next !== undefined && next.at <= now; next = this.#timers.at(-1)) {
      this.#timers.pop();
      next.resolve();
    }
  }
}

/** One of Deno's own event loop. */
function round(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The one of this thread. */
export const poller = new Poller();
