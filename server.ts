/** `echo serve`: accept, a task for each connection, drain. */

import { type Address, isDatagram, isLocal, parseAddress } from "./base/address.ts";
import { concernsOne } from "./base/errors.ts";
import { PLATFORM } from "./base/platform.ts";
import { pause } from "./base/time.ts";
import { showDuration } from "./base/units.ts";
import { engineTraits } from "./net/engine.ts";
import { proxyHeader } from "./net/proxy/welcome.ts";
import { transport } from "./net/schemes.ts";
import type { Accepted, Listener, Welcome } from "./net/stream.ts";
import type { ServerTls } from "./net/tls_settings.ts";
import { Turns } from "./net/turns.ts";
import { Arrivals } from "./server/arrivals.ts";
import { Connection, type Outcome } from "./server/connection.ts";
import { DatagramDoor } from "./server/datagrams.ts";
import { type Door, ListenerDoor } from "./server/doors.ts";
import { echo, type Surroundings } from "./server/echo.ts";
import { Journal } from "./server/journal.ts";
import type { Log } from "./server/log.ts";
import type { Milestones, ServeOptions, Service } from "./server/service.ts";
import { OUT_OF_DESCRIPTORS, SpareDescriptor } from "./server/shortage.ts";
import { Timeouts } from "./server/timeouts.ts";
import type { Totals } from "./server/totals.ts";

/** How often the drain looks who is quiet: twice, as what was sent before it may still be on its way. */
const LOOK_MS = 50;
/** Where waiting is all that helps: descriptors or memory are short. */
const SHORTAGE_PAUSE_MS = 100;
/** TLS handshakes and PROXY headers going on at once, in a thread; some 15 KB each. */
const MAX_ARRIVING = 2000;

/** One server, from its listeners to its last connection. */
export class Server implements Service {
  readonly #options: ServeOptions;
  readonly #journal: Journal;
  readonly #totals: Totals;
  readonly #timeouts: Timeouts;
  readonly #surroundings: Surroundings;
  /** Comes before the listener's own welcome: a PROXY header goes before a TLS handshake. */
  readonly #proxyWelcome: Welcome | undefined;
  readonly #connections = new Set<Connection>();
  /** Those of them that are not let in yet. */
  readonly #arrivals = new Arrivals();
  readonly #spare = new SpareDescriptor();
  #doors: readonly Door[] = [];
  /** Called when the last connection has ended. */
  #onEmpty = () => {};

  constructor(options: ServeOptions, log: Log, totals: Totals) {
    this.#options = options;
    this.#journal = new Journal(log, totals);
    this.#totals = totals;
    this.#timeouts = new Timeouts(options);
    this.#proxyWelcome = options.trust === undefined ? undefined : proxyHeader(options.trust);
    this.#surroundings = {
      turns: engineTraits(options.engine).needsTurns ? new Turns() : undefined,
      connections: this.#connections,
      clock: this.#timeouts.clock,
      onMessage: this.#journal.onMessage,
    };
  }

  async run(stop: AbortSignal, told: Milestones): Promise<void> {
    const doors = this.#doors = await this.#listen();
    told.listening(doors.map(({ address }) => address));
    this.#timeouts.start(this.#connections, (connection, outcome) => this.#cutOff(connection, outcome));
    const close = () => doors.forEach((door) => door.stop());
    stop.addEventListener("abort", close, { once: true });
    if (stop.aborted) close();
    try {
      await Promise.all(doors.map((door) => door.serve(stop)));
      told.stopping();
      await this.#drain();
    } finally {
      for (const door of doors) door.count();
      this.#timeouts.stop();
      this.#journal.close();
      this.#spare.close();
    }
  }

  count(): Promise<void> {
    for (const connection of this.#connections) this.#journal.count(connection);
    for (const door of this.#doors) door.count();
    return Promise.resolve();
  }

  renew(tls: ServerTls): void {
    for (const door of this.#doors) door.renew?.(tls);
  }

  async #listen(): Promise<Door[]> {
    const doors: Door[] = [];
    const ownPorts = new Set<number>();
    try {
      for (const address of this.#options.addresses) {
        doors.push(await this.#open(address, ownPorts));
        const rest = besides(address, doors.at(-1)!.address);
        if (rest !== undefined) doors.push(await this.#open(rest, ownPorts));
      }
    } catch (error) {
      for (const door of doors) door.close();
      this.#spare.close();
      throw error;
    }
    return doors;
  }

  /** The one place that knows that datagrams come without a connection. */
  async #open(address: Address, ownPorts: Set<number>): Promise<Door> {
    const { engine } = this.#options;
    if (isDatagram(address)) return await DatagramDoor.open(address, engine, ownPorts, this.#journal);
    const listener = await transport(address, engine).listen(this.#options.listen);
    return new ListenerDoor(listener, (listener, stop) => this.#acceptAll(listener, stop), this.#totals);
  }

  async #acceptAll(listener: Listener, stop: AbortSignal): Promise<void> {
    const welcomes = [this.#proxyWelcome, listener.welcome].filter((welcome) => welcome !== undefined);
    while (!stop.aborted) {
      const accepted = await this.#accept(listener, stop);
      if (accepted === undefined) continue;
      this.#admit(accepted, welcomes);
      if (this.#spare.isLent) await this.#spare.back(stop);
    }
  }

  /** The next connection; undefined: it failed, or the listener was stopped. What can help the next one is done. */
  async #accept(listener: Listener, stop: AbortSignal): Promise<Accepted | undefined> {
    try {
      return await listener.accept();
    } catch (error) {
      if (stop.aborted) return undefined;
      const lingers = listener.closing !== undefined; // whoever is turned away there would keep the spare
      if (!lingers && this.#spare.lend(error)) return undefined; // whoever comes in by it is told
      if (concernsOne(error)) {
        this.#journal.aborted(listener.address, error); // a pause would hold up those behind it
      } else {
        this.#journal.acceptFailed(listener.address, error);
        await pause(SHORTAGE_PAUSE_MS);
        this.#spare.takeBack();
      }
      return undefined;
    }
  }

  /** Starts the task of a newcomer, or turns it away where there is no room. */
  #admit(accepted: Accepted, welcomes: readonly Welcome[]): void {
    const short = !this.#spare.takeBack();
    if (short && !this.#evict(Math.ceil(this.#arrivals.size / 4), OUT_OF_DESCRIPTORS)) {
      return this.#refuse(accepted, OUT_OF_DESCRIPTORS);
    }
    if (welcomes.length > 0) {
      if (this.#arrivals.size >= MAX_ARRIVING) this.#evict(1, `${MAX_ARRIVING} others arrive as well`);
      return this.#start(accepted, welcomes);
    }
    const full = this.#takeSlot();
    if (full === undefined) this.#start(accepted, welcomes);
    else this.#refuse(accepted, full);
  }

  /** Takes a slot of --max-clients, which #serve gives back; returns why there is none. */
  #takeSlot(): string | undefined {
    const { maxClients } = this.#options;
    if (this.#totals.add("open", 1) <= maxClients) return undefined;
    this.#totals.add("open", -1);
    return `${maxClients} clients are connected, the limit of --max-clients`;
  }

  #refuse({ stream, peer }: Pick<Accepted, "stream" | "peer">, reason: string): void {
    stream.close();
    this.#journal.refused(peer, reason);
  }

  /** Ends `n` of the arriving to make room; returns whether one could be ended. */
  #evict(n: number, reason: string): boolean {
    const oldest = this.#arrivals.oldest(n);
    for (const connection of oldest) {
      this.#journal.refused(connection.peer, `the oldest handshake gives way: ${reason}`);
      this.#cutOff(connection, { reason, failed: false });
    }
    return oldest.length > 0;
  }

  /** Hands the connection to a task of its own, which closes it. */
  #start(accepted: Accepted, welcomes: readonly Welcome[]): void {
    const connection = new Connection(this.#totals.add("accepted", 1), accepted, this.#timeouts.clock.tick);
    this.#connections.add(connection);
    const task = welcomes.length === 0
      ? this.#serve(connection)
      : this.#welcome(connection, accepted, welcomes);
    task.then(
      (outcome) => this.#ended(connection, outcome),
      (error) => this.#ended(connection, this.#journal.defect(connection, error)),
    );
  }

  /** The task of a connection that goes through welcomes first. */
  async #welcome(
    connection: Connection,
    accepted: Accepted,
    welcomes: readonly Welcome[],
  ): Promise<Outcome> {
    const outcome = await this.#arrivals.welcome(connection, accepted, welcomes);
    if (outcome !== undefined) return outcome;
    connection.tick = this.#timeouts.clock.tick; // the time of the welcome is not idleness
    const full = this.#takeSlot();
    if (full === undefined) return await this.#serve(connection);
    connection.stream.close();
    return { reason: full, failed: false }; // counted as rejected, as it has a number already
  }

  /** The task of a connection that has a slot. */
  async #serve(connection: Connection): Promise<Outcome> {
    this.#journal.connected(connection);
    try {
      return await echo(connection, this.#surroundings);
    } finally {
      // Later than its end is logged, where it was cut off and Deno 2.7 cannot close it: its descriptor is in use.
      this.#totals.add("open", -1);
    }
  }

  #ended(connection: Connection, outcome: Outcome): void {
    if (!this.#connections.delete(connection)) return; // it was cut off, and that was its end
    this.#arrivals.delete(connection);
    this.#journal.ended(connection, outcome);
    if (this.#connections.size === 0) this.#onEmpty();
  }

  /**
   * Closes a connection from outside its task, and does not wait for the task: Deno 2.7 leaves a write that is
   * pending as it is, and the task in it, until the peer reads or goes away. It is `open` until then.
   */
  #cutOff(connection: Connection, outcome: Outcome): void {
    connection.abort(outcome);
    this.#ended(connection, outcome);
  }

  /** Waits for the clients to finish, and cuts off those that have not when the time is over. */
  async #drain(): Promise<void> {
    const { drain } = this.#options;
    const look = () => this.#connections.forEach((connection) => connection.drain());
    look();
    const looks = setInterval(look, Math.min(LOOK_MS, drain / 4));
    const end = setTimeout(() => {
      const reason = `still open ${showDuration(drain)} after the stop`;
      for (const connection of this.#connections) this.#cutOff(connection, { reason, failed: true });
    }, drain);
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#onEmpty = resolve);
    clearInterval(looks);
    clearTimeout(end);
  }
}

/**
 * Where else to listen if every interface is meant, and `bound` has those of IPv6 alone: as Windows has it, where a
 * socket on `::` takes no IPv4. undefined: nowhere.
 */
function besides(address: Address, bound: string): Address | undefined {
  if (PLATFORM.dualStack || isLocal(address) || address.host !== undefined) return undefined;
  const first = parseAddress(bound); // with the port that the system chose for :0
  if (isLocal(first) || first.host !== "::") return undefined;
  return { ...address, host: "0.0.0.0", port: first.port };
}
