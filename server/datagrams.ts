/** UDP, the server's side of RFC 862: each datagram that arrives goes back to where it came from. */

import { type DatagramAddress, showAddress, showPeer } from "../base/address.ts";
import { pause } from "../base/time.ts";
import { type Datagram, type DatagramSocket, type Echoer, LINK_LOCAL } from "../net/datagram_socket.ts";
import type { Engine } from "../net/engine.ts";
import { openDatagramSocket } from "../net/schemes.ts";
import type { Endpoint } from "../net/stream.ts";
import { bind } from "../net/tcp.ts";
import type { Door } from "./doors.ts";
import type { Journal } from "./journal.ts";

/** Below it are the services of old, some of which answer whatever they get: echo, chargen, daytime, qotd. */
const FIRST_FREE_PORT = 1024;
/** After a failed receive, so that one that fails for ever does not spin. */
const FAULT_PAUSE_MS = 10;
/** At the stop, what has arrived is answered: until so many looks in a row find nothing new, and for ten at most. */
const LOOK_MS = 10;
const LOOKS = 10;
/** One is not enough: on a busy machine the time of the first may be over before the socket was looked at. */
const QUIET_LOOKS = 2;

/** A bound UDP socket of the server, and the loop that echoes on it. */
export class DatagramDoor implements Door, Echoer {
  /** With the port that was really bound. */
  readonly address: string;
  readonly #port: number;
  readonly #ownPorts: ReadonlySet<number>;
  readonly #journal: Journal;
  readonly #socket: DatagramSocket;
  /** Bound to the link-local address of one interface. */
  readonly #onOneLink: boolean;
  #received = 0;
  #datagrams = 0;
  #bytes = 0;
  #closed = false;

  /**
   * Binds. `ownPorts` are those of all UDP sockets of this server, and gets this one: an answer to one of them might
   * go round for ever. Throws Failure.
   */
  static async open(
    address: DatagramAddress,
    engine: Engine,
    ownPorts: Set<number>,
    journal: Journal,
  ): Promise<DatagramDoor> {
    const { port } = address;
    const listen = (hostname: string) => openDatagramSocket(engine, { local: { hostname, port } });
    return new DatagramDoor(address, await bind(address, listen), ownPorts, journal);
  }

  private constructor(
    address: DatagramAddress,
    socket: DatagramSocket,
    ownPorts: Set<number>,
    journal: Journal,
  ) {
    this.#socket = socket;
    this.#ownPorts = ownPorts;
    this.#journal = journal;
    const { hostname, port } = socket.local;
    // A socket does not tell the zone of the address that it bound.
    const host = address.host?.includes("%") ? address.host : hostname;
    this.address = showAddress({ ...address, host, port });
    this.#port = port;
    ownPorts.add(port);
    this.#onOneLink = LINK_LOCAL.test(hostname);
  }

  /**
   * Echoes until the socket is closed. No fault of the network ends it: at worst it costs one datagram. No answer
   * goes to a port below 1024, nor to a port of our own, whatever the host: that is ourselves, or another echo
   * service on the usual port, and a datagram with a forged source would go to and fro between the two for ever.
   * The limit of this: two services on different ports of 1024 and above cannot know each other. Its price: where
   * our port is one that systems give to clients (32768 and above), a client may get the same one by chance and is
   * refused until it tries again.
   *
   * On every interface of a machine with several addresses, the system chooses the answer's source by the route,
   * not by where the datagram had gone to; listen on each address by itself where that matters. A link-local peer
   * (IPv6) gets an answer from a socket of its own link alone: Deno does not tell the interface on which a datagram
   * came, and without it the answer would leave on the machine's first one.
   */
  async serve(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#socket.echo(this);
      } catch (error) {
        if (this.#closed) return;
        this.#journal.acceptFailed(this.address, error);
        await pause(FAULT_PAUSE_MS);
      }
    }
  }

  wants(datagram: Datagram): boolean {
    this.#received++;
    const refusal = this.#refusal(datagram);
    if (refusal === undefined) {
      this.#journal.onDatagram?.(shown(datagram.from), datagram.bytes);
      return true;
    }
    this.#journal.refused(shown(datagram.from), refusal);
    return false;
  }

  sent(bytes: number): void {
    this.#datagrams++;
    this.#bytes += bytes;
  }

  failed(datagram: Datagram, error: unknown): void {
    this.#journal.sendFailed(shown(datagram.from), error);
  }

  /** Why a datagram gets no answer, if so. */
  #refusal(datagram: Datagram): string | undefined {
    const { port } = datagram;
    if (port < FIRST_FREE_PORT) return "its port is below 1024, so the answer might be echoed for ever";
    if (this.#ownPorts.has(port)) {
      return "its port is the server's own, so the answer might be echoed for ever";
    }
    if (datagram.isLinkLocal && !this.#onOneLink) {
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
    this.#closed = true;
    this.#socket.close();
  }

  /** Closes as soon as what has arrived is answered, within 100 ms. */
  stop(): void {
    let seen = this.#received;
    let looks = 0;
    let quiet = 0;
    const timer = setInterval(() => {
      quiet = this.#received === seen ? quiet + 1 : 0;
      seen = this.#received;
      if (quiet < QUIET_LOOKS && ++looks < LOOKS) return;
      clearInterval(timer);
      this.close();
    }, LOOK_MS);
  }
}

function shown({ hostname, port }: Endpoint): string {
  return showPeer(hostname, port);
}
