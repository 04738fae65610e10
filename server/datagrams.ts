/** UDP, the server's side of RFC 862: each datagram that arrives goes back to where it came from. */

import { type DatagramAddress, showAddress, showPeer } from "../base/address.ts";
import type { Arrival, DatagramService, OpenDatagrams, Rules } from "../net/datagram_service.ts";
import type { Endpoint } from "../net/stream.ts";
import { bind } from "../net/tcp.ts";
import type { Door } from "./doors.ts";
import type { Journal } from "./journal.ts";

/** Below it are the services of old, some of which answer whatever they get: echo, chargen, daytime, qotd. */
const FIRST_FREE_PORT = 1024;
/** At the stop, what has arrived is answered: until nothing came for one such time, and for ten at most. */
const LULL_MS = 10;
const LULLS = 10;

/** A bound UDP socket of the server, and the rules by which it echoes. */
export class DatagramDoor implements Door, Rules {
  /** With the port that was really bound. */
  readonly address: string;
  readonly #port: number;
  readonly #ownPorts: ReadonlySet<number>;
  readonly #journal: Journal;
  readonly #socket: DatagramService;
  #received = 0;
  #datagrams = 0;
  #bytes = 0;

  /**
   * Binds. `ownPorts` are those of all UDP sockets of this server, and gets this one: an answer to one of them might
   * go round for ever. Throws Failure.
   */
  static async open(
    address: DatagramAddress,
    open: OpenDatagrams,
    ownPorts: Set<number>,
    journal: Journal,
  ): Promise<DatagramDoor> {
    const socket = await bind(address, async (hostname) => await open(hostname, address.port));
    return new DatagramDoor(address, socket, ownPorts, journal);
  }

  private constructor(
    address: DatagramAddress,
    socket: DatagramService,
    ownPorts: Set<number>,
    journal: Journal,
  ) {
    this.#socket = socket;
    this.#ownPorts = ownPorts;
    this.#journal = journal;
    const { hostname, port } = socket.local;
    // The system does not tell the zone of an address that was bound.
    const host = address.host?.includes("%") ? address.host : hostname;
    this.address = showAddress({ ...address, host, port });
    this.#port = port;
    ownPorts.add(port);
  }

  /** Echoes until the socket is closed. */
  serve(): Promise<void> {
    return this.#socket.echo(this);
  }

  /**
   * No answer goes to a port below 1024, nor to a port of our own, whatever the host: that is ourselves, or another
   * echo service on the usual port, and a datagram with a forged source would go to and fro between the two for ever.
   * The limit of this: two services on different ports of 1024 and above cannot know each other. Its price: where
   * our port is one that systems give to clients (32768 and above), a client may get the same one by chance and is
   * refused until it tries again.
   *
   * On every interface of a machine with several addresses, the system chooses the answer's source by the route,
   * not by where the datagram had gone to; listen on each address by itself where that matters. A link-local peer
   * (IPv6) gets an answer from a socket of its own link alone: Deno does not tell the interface on which a datagram
   * came, and without it the answer would leave on the machine's first one.
   */
  admits(arrival: Arrival): boolean {
    this.#received++;
    const refusal = this.#refusal(arrival);
    if (refusal !== undefined) {
      this.#journal.refused(shown(arrival), refusal);
      return false;
    }
    this.#journal.onDatagram?.(shown(arrival), arrival.datagram);
    return true;
  }

  sent(datagrams: number, bytes: number): void {
    this.#datagrams += datagrams;
    this.#bytes += bytes;
  }

  sendFailed(to: Endpoint, error: unknown): void {
    this.#journal.sendFailed(shown(to), error);
  }

  receiveFailed(error: unknown): void {
    this.#journal.acceptFailed(this.address, error);
  }

  /** Why a datagram from there gets no answer, if so. */
  #refusal(from: Arrival): string | undefined {
    const { port } = from;
    if (port < FIRST_FREE_PORT) return "its port is below 1024, so the answer might be echoed for ever";
    if (this.#ownPorts.has(port)) {
      return "its port is the server's own, so the answer might be echoed for ever";
    }
    if (from.isLinkLocal && !this.#socket.isLinkLocal) {
      return "its address is link-local, and the answer could leave on another link; " +
        `listen on the link's own address, as udp://[fe80::1%eth0]:${this.#port}`;
    }
    return undefined;
  }

  /** One addition to the totals for many datagrams: one for each would cost more than to count it here. */
  count(): void {
    this.#journal.echoed(this.#datagrams, this.#bytes);
    this.#datagrams = this.#bytes = 0;
  }

  /** Closes at once. */
  close(): void {
    this.#socket.close();
  }

  /** Closes as soon as what has arrived is answered, within 100 ms. */
  stop(): void {
    let seen = this.#received;
    let lulls = 0;
    const timer = setInterval(() => {
      if (this.#received !== seen && ++lulls < LULLS) {
        seen = this.#received;
        return;
      }
      clearInterval(timer);
      this.close();
    }, LULL_MS);
  }
}

function shown({ hostname, port }: Endpoint): string {
  return showPeer(hostname, port);
}
