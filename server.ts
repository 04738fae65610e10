/** `echo serve`: listeners, the accept loop, limits, and the drain. */

import type { Address } from "./cli/address.ts";
import { preview } from "./cli/escape.ts";
import type { Fields, Log } from "./cli/log.ts";
import { showDuration } from "./cli/units.ts";
import { Connection, echo, type Outcome, type Surroundings } from "./net/echo.ts";
import { isShortage, reason } from "./net/errors.ts";
import { type Accepted, type Listener, transports } from "./net/transport.ts";
import { Turns } from "./net/turns.ts";

export interface ServeOptions {
  readonly addresses: readonly Address[];
  readonly maxClients: number;
  /** Milliseconds; undefined: a silent client may stay. */
  readonly idleTimeout: number | undefined;
  readonly writeTimeout: number;
  readonly drain: number;
}

/** After the stop, what was sent before it may still be on its way through the kernel. */
const SETTLE_MS = 100;
/** Where waiting is all that helps: descriptors or memory are short, and the spare one is gone. */
const SHORTAGE_PAUSE_MS = 100;
const WARN_INTERVAL_MS = 1000;

/** One server, from its listeners to its last connection. */
export class Server {
  readonly #options: ServeOptions;
  readonly #log: Log;
  readonly #clock = { tick: 0 };
  readonly #tickMs: number;
  readonly #connections = new Set<Connection>();
  readonly #since = performance.now();
  readonly #surroundings: Surroundings;
  #onEmpty = () => {};
  readonly #refusals: Throttle;
  readonly #acceptFailures: Throttle;
  #spare = spareDescriptor();
  #served = 0;
  #refused = 0;
  #failed = 0;
  /** Of the connections that have ended. */
  #bytes = 0;

  constructor(options: ServeOptions, log: Log) {
    this.#options = options;
    this.#log = log;
    this.#tickMs = Math.min(
      Math.max(Math.min(options.idleTimeout ?? Infinity, options.writeTimeout) / 20, 10),
      1000,
    );
    this.#refusals = new Throttle((fields) => log.write("refused", fields));
    this.#acceptFailures = new Throttle((fields) => log.write("accept_failed", fields));
    this.#surroundings = {
      turns: new Turns(),
      clock: this.#clock,
      onMessage: !log.wants("message")
        ? undefined
        : ({ id, peer }, message) =>
          log.write("message", { client: id, peer, bytes: message.length, text: preview(message) }),
    };
  }

  /**
   * Serves until `stop` aborts, with the name of the signal as its reason; then drains and resolves. `listening`
   * is called once with the addresses. Throws Failure if one of them cannot be listened on.
   */
  async run(stop: AbortSignal, listening: (addresses: string[]) => void = () => {}): Promise<void> {
    const listeners = this.#listen();
    for (const { address } of listeners) this.#log.write("listening", { address });
    listening(listeners.map(({ address }) => address));
    const sweeper = setInterval(() => this.#sweep(), this.#tickMs);
    const close = () => listeners.forEach((listener) => listener.close());
    stop.addEventListener("abort", close, { once: true });
    if (stop.aborted) close();
    try {
      await Promise.all(listeners.map((listener) => this.#acceptAll(listener, stop)));
      await this.#drain(String(stop.reason));
    } finally {
      clearInterval(sweeper);
      this.#refusals.end();
      this.#acceptFailures.end();
      this.#spare?.close();
    }
    this.#log.write("stopped", this.#totals());
  }

  /** Logs the present state in one line. */
  report(): void {
    this.#log.write("state", { open: this.#connections.size, ...this.#totals() });
  }

  #totals(): Fields {
    let bytes = this.#bytes;
    for (const connection of this.#connections) bytes += connection.bytes;
    const duration_ms = Math.round(performance.now() - this.#since);
    return { served: this.#served, bytes, refused: this.#refused, failed: this.#failed, duration_ms };
  }

  #listen(): Listener[] {
    const listeners: Listener[] = [];
    try {
      for (const address of this.#options.addresses) {
        listeners.push(transports[address.scheme]!.listen(address));
      }
    } catch (error) {
      for (const listener of listeners) listener.close();
      this.#spare?.close();
      throw error;
    }
    return listeners;
  }

  async #acceptAll(listener: Listener, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      let accepted: Accepted;
      try {
        accepted = await listener.accept();
      } catch (error) {
        if (stop.aborted) return;
        // All but a shortage concerns one connection, and a pause would hold up the ones behind it.
        if (isShortage(error)) await this.#turnAway(listener, error);
        else this.#acceptFailures.add({ address: listener.address, reason: reason(error) });
        continue;
      }
      this.#admit(accepted);
    }
  }

  #admit(accepted: Accepted): void {
    const { maxClients } = this.#options;
    if (this.#connections.size < maxClients) this.#start(accepted);
    else this.#refuse(accepted, `${maxClients} clients are connected, the limit of --max-clients`);
  }

  #refuse({ stream, peer }: Accepted, reason: string): void {
    this.#refused++;
    stream.close();
    this.#refusals.add({ peer, reason });
  }

  /**
   * Out of descriptors, a newcomer would wait unaccepted and the loop would spin. One descriptor is kept in
   * reserve: it is given up for just as long as it takes to accept the newcomer and close it. The newcomer may
   * come much later, as accept(2) tells of the shortage even when nobody waits: it is served if all is well then.
   */
  async #turnAway(listener: Listener, shortage: unknown): Promise<void> {
    if (this.#spare !== undefined) {
      this.#spare.close();
      this.#spare = undefined;
      try {
        const accepted = await listener.accept();
        this.#spare = spareDescriptor();
        if (this.#spare !== undefined) return this.#admit(accepted);
        this.#refuse(accepted, reason(shortage));
      } catch { /* no better than before: wait */ }
    }
    this.#spare ??= spareDescriptor();
    if (this.#spare !== undefined) return;
    this.#acceptFailures.add({ address: listener.address, reason: reason(shortage) });
    await new Promise((resolve) => setTimeout(resolve, SHORTAGE_PAUSE_MS));
  }

  /** Hands the connection to a task of its own, which closes it. */
  #start(accepted: Accepted): void {
    const connection = new Connection(++this.#served, accepted, this.#clock.tick);
    const { id: client, peer } = connection;
    this.#connections.add(connection);
    this.#log.write("connected", { client, peer, open: this.#connections.size });
    echo(connection, this.#surroundings).then(
      (outcome) => this.#ended(connection, outcome),
      (error) => {
        this.#log.write("fault", { client, peer, reason: reason(error) });
        this.#log.write("stack", { client, text: String(error instanceof Error ? error.stack : error) });
        this.#ended(connection, { reason: "a defect of echo", failed: true });
      },
    );
  }

  #ended(connection: Connection, { reason, failed }: Outcome): void {
    if (!this.#connections.delete(connection)) return; // it was cut off, and that was its end
    const { id: client, peer, bytes, lost, since } = connection;
    this.#bytes += bytes;
    if (failed) this.#failed++;
    this.#log.write("disconnected", {
      client,
      peer,
      reason: lost > 0 ? `${reason}, ${lost} bytes came too late to be echoed` : reason,
      duration_ms: Math.round(performance.now() - since),
      bytes,
    });
    if (this.#connections.size === 0) this.#onEmpty();
  }

  /**
   * Closes a connection from outside its task, and counts it as ended at once: Deno 2.7 leaves a write that is
   * pending as it is, and the task in it, until the peer reads or goes away.
   */
  #cutOff(connection: Connection, reason: string, failed: boolean): void {
    connection.abort(reason, failed);
    this.#ended(connection, { reason, failed });
  }

  /** One pass over all connections instead of a timer for each, which would cost a fifth of the speed. */
  #sweep(): void {
    const tick = ++this.#clock.tick;
    const { idleTimeout, writeTimeout } = this.#options;
    const idleTicks = idleTimeout === undefined ? Infinity : Math.ceil(idleTimeout / this.#tickMs);
    const writeTicks = Math.ceil(writeTimeout / this.#tickMs);
    for (const connection of this.#connections) {
      const still = tick - connection.tick;
      if (connection.phase === "reading") {
        if (still > idleTicks) this.#cutOff(connection, `idle for ${showDuration(idleTimeout ?? 0)}`, false);
      } else if (still > writeTicks) {
        this.#cutOff(connection, `did not read for ${showDuration(writeTimeout)}`, true);
      }
    }
  }

  async #drain(signal: string): Promise<void> {
    this.#log.write("stopping", { reason: signal, open: this.#connections.size });
    const { drain } = this.#options;
    const timers = [
      setTimeout(
        () => this.#connections.forEach((connection) => connection.stop()),
        Math.min(SETTLE_MS, drain / 2),
      ),
      setTimeout(
        () =>
          this.#connections.forEach((one) =>
            this.#cutOff(one, `still open ${showDuration(drain)} after the stop`, true)
          ),
        drain,
      ),
    ];
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#onEmpty = resolve);
    timers.forEach(clearTimeout);
  }
}

/** Lets one report through a second; `count` says for how many events it stands. */
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
    }, WARN_INTERVAL_MS);
  }
}

function spareDescriptor(): Deno.FsFile | undefined {
  try {
    return Deno.openSync("/dev/null");
  } catch {
    return undefined; // short of descriptors already, or no /dev
  }
}
