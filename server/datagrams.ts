/** UDP, the server's side of RFC 862: each datagram that arrives goes back to where it came from. */

import { type DatagramAddress, showAddress, showPeer } from "../base/address.ts";
import { pause } from "../base/time.ts";
import { isOldNews, RECEIVE_BUFFER } from "../net/datagrams.ts";
import { bind } from "../net/tcp.ts";
import type { Door } from "./doors.ts";
import type { Journal } from "./journal.ts";

/** Below it are the services of old, some of which answer whatever they get: echo, chargen, daytime, qotd. */
const FIRST_FREE_PORT = 1024;
/** After a failed receive, so that one that fails for ever does not spin. */
const FAULT_PAUSE_MS = 10;
/** fe80::/10 (RFC 4291): an address that each link of a machine may have, so that it needs a zone to be reached. */
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/i;
/** At the stop, what has arrived is answered: until nothing came for one such time, and for ten at most. */
const LULL_MS = 10;
const LULLS = 10;

/** A bound UDP socket of the server, and the loop that echoes on it. */
export class DatagramSocket implements Door {
  /** With the port that was really bound. */
  readonly address: string;
  readonly #port: number;
  readonly #ownPorts: ReadonlySet<number>;
  readonly #journal: Journal;
  readonly #socket: Deno.DatagramConn;
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
    ownPorts: Set<number>,
    journal: Journal,
  ): Promise<DatagramSocket> {
    const { port } = address;
    const listen = (hostname: string) => Deno.listenDatagram({ transport: "udp", hostname, port });
    return new DatagramSocket(address, await bind(address, listen), ownPorts, journal);
  }

  private constructor(
    address: DatagramAddress,
    socket: Deno.DatagramConn,
    ownPorts: Set<number>,
    journal: Journal,
  ) {
    this.#socket = socket;
    this.#ownPorts = ownPorts;
    this.#journal = journal;
    const { hostname, port } = socket.addr as Deno.NetAddr;
    // Deno does not tell the zone of an address that it bound.
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
    const journal = this.#journal;
    const buffer = new Uint8Array(RECEIVE_BUFFER);
    while (!this.#closed) {
      let datagram: Uint8Array;
      let from: Deno.NetAddr;
      try {
        [datagram, from] = await this.#socket.receive(buffer) as [Uint8Array, Deno.NetAddr];
      } catch (error) {
        if (this.#closed) return;
        if (isOldNews(error)) continue; // no pause: a client that has left must not slow the others down
        journal.acceptFailed(this.address, error);
        await pause(FAULT_PAUSE_MS);
        continue;
      }
      this.#received++;
      const refusal = this.#refusal(from);
      if (refusal !== undefined) {
        journal.refused(shown(from), refusal);
        continue;
      }
      journal.onDatagram?.(shown(from), datagram);
      try {
        await this.#socket.send(datagram, from);
        this.#datagrams++;
        this.#bytes += datagram.length;
      } catch (error) {
        journal.sendFailed(shown(from), error);
      }
    }
  }

  /** Why a datagram from there gets no answer, if so. */
  #refusal({ hostname, port }: Deno.NetAddr): string | undefined {
    if (port < FIRST_FREE_PORT) return "its port is below 1024, so the answer might be echoed for ever";
    if (this.#ownPorts.has(port)) {
      return "its port is the server's own, so the answer might be echoed for ever";
    }
    if (LINK_LOCAL.test(hostname) && !this.#onOneLink) {
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

function shown({ hostname, port }: Deno.NetAddr): string {
  return showPeer(hostname, port);
}
