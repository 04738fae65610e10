/** A server on several threads: each accepts on the same ports (SO_REUSEPORT), and all count together. */

import { isShareable, parseAddress } from "../base/address.ts";
import { oneLine } from "../base/escape.ts";
import type { Level } from "../server/events.ts";
import type { LineWriter } from "../server/line_writer.ts";
import type { Format, Log } from "../server/log.ts";
import { Failure, reason } from "../base/errors.ts";
import { threadPermissions } from "../net/engine.ts";
import { pause } from "../base/time.ts";
import type { ServerTls } from "../net/tls_settings.ts";
import type { Milestones, ServeOptions, Service } from "../server/service.ts";
import { Totals } from "../server/totals.ts";
import type { Order, Report, Start } from "./messages.ts";
import { crewsOf } from "./crews.ts";
import { checkDescriptors, checkVacant } from "./preconditions.ts";

/** From a death to the new start; twice as long each time, unless the thread had lived for the longest of them. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 60_000;

/** How many threads are started at once: all of them together would be slower, and hear no signal meanwhile. */
const AT_ONCE = 2 * navigator.hardwareConcurrency;

const MODULE = new URL("./server_thread.ts", import.meta.url);

/** Where the lines of the log go, those of the pool and those of its threads. */
export interface PoolLog {
  readonly log: Log;
  /** Takes the lines that the threads have made, of this level and format. */
  readonly writer: LineWriter;
  readonly level: Level;
  readonly format: Format;
}

/** Threads that serve the same addresses. */
interface Crew {
  options: ServeOptions;
  /** The addresses that were really bound, in the order of its options. */
  bound: readonly string[];
}

/** Runs a Server on each of `threads` workers, and starts one again that dies. */
export class ServerPool implements Service {
  /** As they were asked for. */
  readonly #requested: ServeOptions["addresses"];
  readonly #crews: Crew[];
  /** Of each crew. */
  readonly #threads: number;
  readonly #logging: PoolLog;
  readonly #memory: SharedArrayBuffer;
  readonly #module: URL;
  /** By their thread, which counts from 0. */
  readonly #workers = new Map<number, Worker>();
  /** Resolves when all have ended after the stop. */
  readonly #stopped = Promise.withResolvers<void>();
  /** Aborts when all are to stop. */
  readonly #halt = new AbortController();
  /** Threads that were told to stop, and have not confirmed yet that they let nobody in any more. */
  #unconfirmed = new Set<number>();
  /** Called when all have confirmed it. */
  #onAllClosed = () => {};
  /** When each thread was started last, and how long it waited for that. */
  readonly #starts = new Map<number, { readonly at: number; readonly pause: number }>();

  /** `module` is another worker module, for tests of a worker that dies. */
  constructor(
    options: ServeOptions,
    threads: number,
    totals: Totals,
    logging: PoolLog,
    module = MODULE,
  ) {
    this.#requested = options.addresses;
    this.#crews = crewsOf(options).map((options) => ({ options, bound: [] }));
    this.#threads = threads;
    this.#memory = totals.memory;
    this.#logging = logging;
    this.#module = module;
  }

  async run(stop: AbortSignal, told: Milestones): Promise<void> {
    this.#onAllClosed = () => told.stopping();
    stop.addEventListener("abort", () => this.#stopAll(), { once: true });
    await checkVacant(this.#requested);
    if (stop.aborted) return;
    const threads = Array.from({ length: this.#threads * this.#crews.length }, (_, thread) => thread);
    // The first worker of a crew finds out the ports where 0 was asked for, and whether all can be listened on at all.
    for (const thread of threads.filter((thread) => this.#isFirst(thread))) {
      if (this.#stopping) break;
      const crew = this.#crewOf(thread);
      crew.bound = await this.#start(thread, crew.options.addresses);
    }
    const others = threads.filter((thread) => !this.#isFirst(thread)).values();
    const startOthers = async () => {
      for (const thread of others) {
        if (this.#stopping) return;
        await this.#start(thread, this.#addressesOf(thread));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, startOthers));
    if (!this.#stopping) told.listening(this.#bound());
    await this.#stopped.promise;
  }

  #stopAll(): void {
    this.#halt.abort();
    this.#unconfirmed = new Set(this.#workers.keys());
    for (const worker of this.#workers.values()) worker.postMessage("stop" satisfies Order);
    if (this.#workers.size === 0) this.#stopped.resolve();
  }

  get #stopping(): boolean {
    return this.#halt.signal.aborted;
  }

  async count(): Promise<void> {
    await Promise.all(Array.from(this.#workers.values(), (worker) =>
      new Promise<void>((resolve) => {
        const heard = ({ data }: MessageEvent<Report>) => {
          if (!("counted" in data || "ended" in data)) return;
          worker.removeEventListener("message", heard);
          resolve();
        };
        worker.addEventListener("message", heard);
        worker.addEventListener("error", () => resolve(), { once: true });
        worker.postMessage("count" satisfies Order);
      })));
  }

  renew(tls: ServerTls): void {
    for (const crew of this.#crews) {
      crew.options = { ...crew.options, listen: { ...crew.options.listen, tls } };
    }
    for (const worker of this.#workers.values()) worker.postMessage({ renew: tls } satisfies Order);
  }

  /** The threads of a crew follow each other. */
  #crewOf(thread: number): Crew {
    const crew = this.#crews[Math.floor(thread / this.#threads)];
    if (crew === undefined) throw new Error(`there is no thread ${thread}`);
    return crew;
  }

  #isFirst(thread: number): boolean {
    return thread % this.#threads === 0;
  }

  /**
   * What this thread listens on, once it is known what can be: a Unix socket has one listener, and so has a UDP socket
   * here.
   */
  #addressesOf(thread: number): ServeOptions["addresses"] {
    const bound = this.#crewOf(thread).bound.map(parseAddress);
    return this.#isFirst(thread) ? bound : bound.filter(isShareable);
  }

  /** Those that were really bound, in the order in which they were asked for. */
  #bound(): string[] {
    const pairs = this.#crews.flatMap(({ options, bound }) =>
      options.addresses.map((address, i) => [address, bound[i] ?? ""] as const)
    );
    const bound = new Map(pairs);
    return this.#requested.map((address) => bound.get(address) ?? "");
  }

  /** Starts one worker; resolves with its addresses when it listens. Throws Failure if it cannot. */
  async #start(thread: number, addresses: ServeOptions["addresses"]): Promise<string[]> {
    checkDescriptors();
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    const { options } = this.#crewOf(thread);
    const worker = new Worker(this.#module, {
      type: "module",
      deno: { permissions: threadPermissions(options.engine) },
    });
    this.#workers.set(thread, worker);
    let listens = false;
    worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
      if ("listening" in data) {
        listens = true;
        resolve(data.listening);
      } else if ("stopping" in data) this.#confirm(thread);
      else if ("lines" in data) this.#logging.writer.write(data.lines);
      else if ("ended" in data) {
        if (data.ended !== undefined) reject(new Failure(data.ended));
        this.#remove(thread);
      }
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault(); // it would end the process
      const count = new Totals(this.#memory, thread).writeOff();
      if (listens) this.#logging.log.write("worker_died", { count, reason: oneLine(event.message) });
      worker.terminate();
      this.#remove(thread);
      if (listens) this.#restart(thread);
      else reject(new Failure(`cannot start a worker: ${oneLine(event.message)}`));
    });
    const { level, format } = this.#logging;
    const start: Start = {
      options: { ...options, addresses, listen: { ...options.listen, shared: true } },
      memory: this.#memory,
      thread,
      level,
      format,
    };
    worker.postMessage(start);
    return await promise;
  }

  /** Tries until it listens again, or all are to stop. */
  async #restart(thread: number): Promise<void> {
    const last = this.#starts.get(thread);
    const soon = last !== undefined && performance.now() - last.at < LONGEST_PAUSE_MS;
    for (let ms = soon ? longer(last.pause) : FIRST_PAUSE_MS;; ms = longer(ms)) {
      await pause(ms, this.#halt.signal);
      if (this.#stopping) return;
      try {
        await this.#start(thread, this.#addressesOf(thread));
        this.#starts.set(thread, { at: performance.now(), pause: ms });
        return;
      } catch (error) {
        this.#logging.log.write("restart_failed", { reason: reason(error), duration_ms: longer(ms) });
      }
    }
  }

  /** The thread lets nobody in any more. */
  #confirm(thread: number): void {
    if (this.#unconfirmed.delete(thread) && this.#unconfirmed.size === 0) this.#onAllClosed();
  }

  /** The thread is gone. */
  #remove(thread: number): void {
    this.#workers.delete(thread);
    this.#confirm(thread);
    if (this.#stopping && this.#workers.size === 0) this.#stopped.resolve();
  }
}

function longer(ms: number): number {
  return Math.min(2 * ms, LONGEST_PAUSE_MS);
}
