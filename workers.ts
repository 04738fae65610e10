/** A server on several threads: each accepts on the same ports (SO_REUSEPORT), and all count together. */

import { parseAddress } from "./cli/address.ts";
import type { Format, Level, LineWriter, Log } from "./cli/log.ts";
import { Failure } from "./net/errors.ts";
import type { ServerTls } from "./net/tls.ts";
import { Totals } from "./net/totals.ts";
import type { Milestones, ServeOptions, Service } from "./server.ts";

/** What a worker is told at its start. */
export interface Start {
  readonly options: ServeOptions;
  readonly memory: SharedArrayBuffer;
  readonly thread: number;
  readonly level: Level;
  readonly format: Format;
}

/** What it is told later: to count, to stop, to show other certificates. */
export type Order = "count" | "stop" | { readonly renew: ServerTls };

/** What it tells: where it listens, lines of its log, that it has counted, and how it ended. */
export type Report =
  | { readonly listening: string[] }
  | { readonly stopping: true }
  | { readonly lines: string }
  | { readonly counted: true }
  | { readonly ended: string | undefined };

/** One that dies again at once would otherwise be started without end. */
const RESTART_PAUSE_MS = 1000;

const WORKER = new URL("./worker.ts", import.meta.url);

/** Runs a Server on each of `threads` workers, and starts one again that dies. */
export class Crew implements Service {
  #options: ServeOptions;
  readonly #threads: number;
  readonly #log: Log;
  readonly #out: LineWriter;
  readonly #logging: { readonly level: Level; readonly format: Format };
  readonly #memory: SharedArrayBuffer;
  readonly #module: URL;
  readonly #workers = new Map<number, Worker>();
  readonly #stopped = Promise.withResolvers<void>();
  #addresses: ServeOptions["addresses"] = [];
  #stopping = false;
  /** Workers that have not said yet, after the stop, that they let nobody in any more. */
  #hearing = 0;
  #onDeaf = () => {};

  /** `module` is another worker module, for tests of a worker that dies. */
  constructor(
    options: ServeOptions,
    threads: number,
    totals: Totals,
    log: Log,
    out: LineWriter,
    logging: { readonly level: Level; readonly format: Format },
    module = WORKER,
  ) {
    this.#options = options;
    this.#threads = threads;
    this.#memory = totals.memory;
    this.#log = log;
    this.#out = out;
    this.#logging = logging;
    this.#module = module;
  }

  async run(stop: AbortSignal, told: Milestones): Promise<void> {
    // The first worker finds out the ports where 0 was asked for, and whether all can be listened on at all.
    const addresses = await this.#start(0, this.#options.addresses);
    this.#addresses = addresses.map(parseAddress) as ServeOptions["addresses"];
    for (let thread = 1; thread < this.#threads; thread++) await this.#start(thread, this.#shareable());
    told.listening(addresses);
    this.#onDeaf = () => told.stopping();
    const order = () => {
      this.#stopping = true;
      this.#hearing = this.#workers.size;
      for (const worker of this.#workers.values()) worker.postMessage("stop" satisfies Order);
      if (this.#workers.size === 0) this.#stopped.resolve();
    };
    stop.addEventListener("abort", order, { once: true });
    if (stop.aborted) order();
    await this.#stopped.promise;
  }

  async count(): Promise<void> {
    await Promise.all(Array.from(this.#workers.values(), (worker) =>
      new Promise<void>((resolve) => {
        const heard = ({ data }: MessageEvent<Report>) => {
          if (!("counted" in data)) return;
          worker.removeEventListener("message", heard);
          resolve();
        };
        worker.addEventListener("message", heard);
        worker.addEventListener("error", () => resolve(), { once: true });
        worker.postMessage("count" satisfies Order);
      })));
  }

  renew(tls: ServerTls): void {
    this.#options = { ...this.#options, listen: { ...this.#options.listen, tls } };
    for (const worker of this.#workers.values()) worker.postMessage({ renew: tls } satisfies Order);
  }

  /** What every thread can listen on: a Unix socket has one listener, and so has a UDP socket here. */
  #shareable(): ServeOptions["addresses"] {
    return this.#addresses.filter(({ scheme }) => scheme === "tcp" || scheme === "tls");
  }

  /** Starts one worker; resolves with its addresses when it listens. Throws Failure if it cannot. */
  #start(thread: number, addresses: ServeOptions["addresses"]): Promise<string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<string[]>();
    const worker = new Worker(this.#module, { type: "module" });
    this.#workers.set(thread, worker);
    worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
      if ("listening" in data) resolve(data.listening);
      else if ("stopping" in data && --this.#hearing === 0) this.#onDeaf();
      else if ("lines" in data) this.#out.write(data.lines);
      else if ("ended" in data) {
        if (data.ended !== undefined) reject(new Failure(data.ended));
        this.#gone(thread);
      }
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault(); // it would end the process
      reject(new Failure(event.message));
      const count = new Totals(this.#memory, thread).bury();
      this.#log.write("worker_died", { count, reason: event.message });
      worker.terminate();
      this.#gone(thread);
      if (!this.#stopping) setTimeout(() => this.#restart(thread), RESTART_PAUSE_MS);
    });
    const start: Start = {
      options: { ...this.#options, addresses, listen: { ...this.#options.listen, shared: true } },
      memory: this.#memory,
      thread,
      ...this.#logging,
    };
    worker.postMessage(start);
    return promise;
  }

  #restart(thread: number): void {
    if (this.#stopping) return;
    this.#start(thread, thread === 0 ? this.#addresses : this.#shareable()).catch((error) =>
      this.#log.write("worker_died", { count: 0, reason: error.message })
    );
  }

  #gone(thread: number): void {
    this.#workers.delete(thread);
    if (this.#stopping && this.#workers.size === 0) this.#stopped.resolve();
  }
}
