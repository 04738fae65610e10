/** `echo serve`: listeners, the accept loop, limits, and the drain. */

import { type Address, isDatagram } from "./base/address.ts";
import type { Log } from "./server/log.ts";
import { showDuration } from "./base/units.ts";
import { DatagramSocket } from "./server/datagrams.ts";
import { Connection, type Outcome } from "./server/connection.ts";
import { echo, type Surroundings } from "./server/echo.ts";
import { concernsOne, isOutOfDescriptors } from "./base/errors.ts";
import { proxyHeader } from "./net/proxy/protocol.ts";
import type { Accepted, Listener, Welcome } from "./net/stream.ts";
import type { ServerTls } from "./net/tls_settings.ts";
import { Journal } from "./server/journal.ts";
import type { Milestones, ServeOptions, Service } from "./server/service.ts";
import type { Totals } from "./server/totals.ts";
import { transport } from "./net/schemes.ts";
import { Timeouts } from "./server/timeouts.ts";
import { Turns } from "./net/turns.ts";

/** How often the drain looks who is quiet: twice, as what was sent before it may still be on its way. */
const LOOK_MS = 50;
/** Where waiting is all that helps: descriptors or memory are short. */
const SHORTAGE_PAUSE_MS = 100;
/** How long the spare descriptor may be given up for a newcomer: it goes to whichever listener has one. */
const SPARE_MS = 20;
/** TLS handshakes and PROXY headers going on at once, in a thread; some 15 KB each. They take no slot of a client. */
const MAX_ARRIVING = 2000;
const OUT_OF_DESCRIPTORS = "out of file descriptors; raise `ulimit -n`";

/** Where clients come in: a listener and its accept loop, or a datagram socket and its loop. */
interface Door {
  readonly address: string;
  /** Resolves when nobody comes in any more. */
  serve(stop: AbortSignal): Promise<void>;
  /** Lets nobody in from now on. */
  stop(): void;
  closing?(): number;
  renew?(tls: ServerTls): void;
  /** In place of all that, if another address cannot be listened on. */
  close(): void;
}

/** One server, from its listeners to its last connection. */
export class Server implements Service {
  readonly #options: ServeOptions;
  readonly #journal: Journal;
  readonly #timeouts: Timeouts;
  readonly #connections = new Set<Connection>();
  /** Those of them that are not let in yet, oldest first. */
  readonly #arriving = new Set<Connection>();
  readonly #totals: Totals;
  readonly #surroundings: Surroundings;
  /** Comes before the listener's own welcome: a PROXY header goes before a TLS handshake. */
  readonly #proxyWelcome: Welcome | undefined;
  #onEmpty = () => {};
  readonly #sockets: DatagramSocket[] = [];
  readonly #ownPorts = new Set<number>();
  #doors: readonly Door[] = [];
  /** What the totals have of `closing`. */
  #closing = 0;
  /** A descriptor in reserve; undefined: it is lent, or none was to be had. */
  #spare = spareDescriptor();
  #lent = false;

  constructor(options: ServeOptions, log: Log, totals: Totals) {
    this.#options = options;
    this.#journal = new Journal(log, totals);
    this.#totals = totals;
    this.#timeouts = new Timeouts(options);
    this.#proxyWelcome = options.trust === undefined ? undefined : proxyHeader(options.trust);
    this.#surroundings = {
      turns: new Turns(),
      clock: this.#timeouts.clock,
      onMessage: this.#journal.onMessage,
    };
  }

  async run(stop: AbortSignal, told: Milestones): Promise<void> {
    const doors = this.#doors = await this.#listen();
    told.listening(doors.map(({ address }) => address));
    this.#timeouts.start(this.#connections, (...cut) => this.#cutOff(...cut));
    const close = () => doors.forEach((door) => door.stop());
    stop.addEventListener("abort", close, { once: true });
    if (stop.aborted) close();
    try {
      await Promise.all(doors.map((door) => door.serve(stop)));
      told.stopping();
      await this.#drain();
    } finally {
      this.#countDatagrams();
      this.#countClosing();
      this.#timeouts.stop();
      this.#journal.close();
      this.#closeSpare();
    }
  }

  count(): Promise<void> {
    for (const connection of this.#connections) this.#journal.count(connection);
    this.#countDatagrams();
    this.#countClosing();
    return Promise.resolve();
  }

  renew(tls: ServerTls): void {
    for (const door of this.#doors) door.renew?.(tls);
  }

  async #listen(): Promise<Door[]> {
    const doors: Door[] = [];
    try {
      for (const address of this.#options.addresses) doors.push(await this.#open(address));
    } catch (error) {
      for (const door of doors) door.close();
      this.#closeSpare();
      throw error;
    }
    return doors;
  }

  /** The one place that knows that datagrams come without a connection. */
  async #open(address: Address): Promise<Door> {
    if (isDatagram(address)) return this.#openDatagrams(await DatagramSocket.open(address));
    const listener = await transport(address).listen(this.#options.listen);
    const close = () => listener.close();
    return {
      address: listener.address,
      close,
      stop: close,
      closing: () => listener.closing?.() ?? 0,
      renew: (tls) => listener.renew?.(tls),
      serve: (stop) => this.#acceptAll(listener, stop),
    };
  }

  #openDatagrams(socket: DatagramSocket): Door {
    this.#sockets.push(socket);
    this.#ownPorts.add(socket.port);
    return {
      address: socket.address,
      close: () => socket.close(),
      stop: () => socket.stop(),
      serve: () => socket.echo(this.#ownPorts, this.#journal),
    };
  }

  async #acceptAll(listener: Listener, stop: AbortSignal): Promise<void> {
    const welcomes = [this.#proxyWelcome, listener.welcome].filter((welcome) => welcome !== undefined);
    while (!stop.aborted) {
      let accepted: Accepted;
      try {
        accepted = await listener.accept();
      } catch (error) {
        if (stop.aborted) return;
        const lingers = listener.closing !== undefined; // whoever is turned away there would keep the spare
        if (!lingers && this.#lendSpare(error)) continue; // whoever comes in by it is told
        if (concernsOne(error)) {
          this.#journal.aborted(listener.address, error);
          continue; // a pause would hold up those behind it
        }
        this.#journal.acceptFailed(listener.address, error);
        await delay(SHORTAGE_PAUSE_MS);
        this.#takeSpare();
        continue;
      }
      this.#admit(accepted, welcomes);
      while (this.#lent && !stop.aborted && !this.#takeSpare()) await delay(1); // what was closed is soon free
    }
  }

  /**
   * Short of descriptors, a newcomer would wait in the kernel unaccepted. One descriptor is kept in reserve and given
   * up for a moment, so that a newcomer can be accepted, and then turned away or let in where another gives way.
   * Returns whether that can help: not if it is given up already, and not against a shortage of another kind.
   */
  #lendSpare(shortage: unknown): boolean {
    if (this.#spare === undefined || !isOutOfDescriptors(shortage)) return false;
    this.#spare.close();
    this.#spare = undefined;
    this.#lent = true;
    setTimeout(() => this.#takeSpare(), SPARE_MS);
    return true;
  }

  /** Takes back what was lent; returns false where somebody has it. */
  #takeSpare(): boolean {
    if (!this.#lent) return true;
    this.#spare = spareDescriptor();
    this.#lent = this.#spare === undefined;
    return !this.#lent;
  }

  #closeSpare(): void {
    this.#lent = false;
    this.#spare?.close();
    this.#spare = undefined;
  }

  #admit(accepted: Accepted, welcomes: readonly Welcome[]): void {
    const short = !this.#takeSpare();
    if (short && !this.#evict(Math.ceil(this.#arriving.size / 4), OUT_OF_DESCRIPTORS)) {
      return this.#refuse(accepted, OUT_OF_DESCRIPTORS);
    }
    if (welcomes.length > 0) {
      if (this.#arriving.size >= MAX_ARRIVING) this.#evict(1, `${MAX_ARRIVING} others arrive as well`);
      return this.#start(accepted, welcomes);
    }
    const full = this.#enter();
    if (full === undefined) this.#start(accepted, welcomes);
    else this.#refuse(accepted, full);
  }

  /** Takes a slot of --max-clients; returns why there is none. */
  #enter(): string | undefined {
    const { maxClients } = this.#options;
    if (this.#totals.add("open", 1) <= maxClients) return undefined;
    this.#totals.add("open", -1);
    return `${maxClients} clients are connected, the limit of --max-clients`;
  }

  #refuse({ stream, peer }: Accepted, reason: string): void {
    stream.close();
    this.#journal.refused(peer, reason);
  }

  /** Ends the `n` oldest of the arriving that can be ended, the least likely to be honest; returns whether one could. */
  #evict(n: number, reason: string): boolean {
    const oldest = [...this.#arriving.values().filter(({ stream }) => !stream.lingers).take(n)];
    for (const connection of oldest) {
      this.#journal.refused(connection.peer, `the oldest handshake gives way: ${reason}`);
      this.#cutOff(connection, reason, false);
    }
    return oldest.length > 0;
  }

  /** Hands the connection to a task of its own, which closes it. */
  #start(accepted: Accepted, welcomes: readonly Welcome[]): void {
    const connection = new Connection(this.#totals.add("accepted", 1), accepted, this.#timeouts.clock.tick);
    this.#connections.add(connection);
    const task = welcomes.length === 0
      ? this.#attend(connection)
      : this.#welcome(connection, accepted, welcomes);
    task.then(
      (outcome) => this.#ended(connection, outcome),
      (error) => this.#ended(connection, this.#journal.defect(connection, error)),
    );
  }

  async #welcome(
    connection: Connection,
    accepted: Accepted,
    welcomes: readonly Welcome[],
  ): Promise<Outcome> {
    connection.phase = "arriving";
    this.#arriving.add(connection);
    try {
      for (const welcome of welcomes) {
        accepted = await welcome(accepted);
        connection.accept(accepted);
        if (connection.cut !== undefined) accepted.stream.close();
        if (connection.cut !== undefined) return connection.cut;
      }
      connection.tick = this.#timeouts.clock.tick; // the time of the welcome is not idleness
    } catch (error) {
      if (connection.cut === undefined) connection.stream.close();
      return connection.failed(error);
    } finally {
      this.#arriving.delete(connection);
    }
    const full = this.#enter();
    if (full === undefined) return await this.#attend(connection);
    this.#refuse(accepted, full);
    return { reason: full, failed: false };
  }

  async #attend(connection: Connection): Promise<Outcome> {
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
    this.#arriving.delete(connection);
    this.#journal.ended(connection, outcome);
    if (this.#connections.size === 0) this.#onEmpty();
  }

  #countDatagrams(): void {
    for (const socket of this.#sockets) this.#journal.countDatagrams(socket.takeCounts());
  }

  #countClosing(): void {
    const closing = this.#doors.reduce((sum, door) => sum + (door.closing?.() ?? 0), 0);
    this.#totals.add("closing", closing - this.#closing);
    this.#closing = closing;
  }

  /**
   * Closes a connection from outside its task, and does not wait for the task: Deno 2.7 leaves a write that is
   * pending as it is, and the task in it, until the peer reads or goes away. It is `open` until then.
   */
  #cutOff(connection: Connection, reason: string, failed: boolean): void {
    connection.abort(reason, failed);
    this.#ended(connection, { reason, failed });
  }

  /** Waits for the clients to finish, and cuts off those that have not when the time is over. */
  async #drain(): Promise<void> {
    const { drain } = this.#options;
    const look = () => this.#connections.forEach((connection) => connection.drain());
    look();
    const looks = setInterval(look, Math.min(LOOK_MS, drain / 4));
    const end = setTimeout(() => {
      const reason = `still open ${showDuration(drain)} after the stop`;
      for (const connection of this.#connections) this.#cutOff(connection, reason, true);
    }, drain);
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#onEmpty = resolve);
    clearInterval(looks);
    clearTimeout(end);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function spareDescriptor(): Deno.FsFile | undefined {
  try {
    return Deno.openSync("/dev/null");
  } catch {
    return undefined; // short of descriptors already, or no /dev
  }
}
