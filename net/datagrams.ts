/** UDP, the server's side of RFC 862: each datagram that arrives goes back to where it came from. */

import { type DatagramAddress, showAddress, showPeer } from "../base/address.ts";
import { ipBytes, showIp } from "../base/ip.ts";
import { addressesOf, bind } from "./tcp.ts";

/** More than any datagram has (65,507 bytes over IPv4, 65,527 over IPv6): a buffer too small would cut silently. */
export const RECEIVE_BUFFER = 65_536;
/** Below it are the services of old, some of which answer whatever they get: echo, chargen, daytime, qotd. */
const FIRST_FREE_PORT = 1024;
/** After a failed receive, so that one that fails for ever does not spin. */
const FAULT_PAUSE_MS = 10;
/** fe80::/10 (RFC 4291): an address that each link of a machine may have, so that it needs a zone to be reached. */
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/i;
/** At the stop, what has arrived is answered: until nothing came for one such time, and for ten at most. */
const LULL_MS = 10;
const LULLS = 10;

/** What the loop needs of the server. */
export interface DatagramHost {
  /** The ports of all our UDP sockets: an answer to one of them might go round for ever. */
  readonly ownPorts: Set<number>;
  /** Told of each datagram before it goes back, when somebody wants to know. */
  readonly onDatagram: ((peer: string, datagram: Uint8Array) => void) | undefined;
  /** Not answered, for this reason. */
  refused(peer: string, reason: string): void;
  /** Could not be answered. */
  failed(peer: string, error: unknown): void;
  /** Nothing could be received. */
  deaf(address: string, error: unknown): void;
}

/** A bound UDP socket. */
export class DatagramSocket {
  /** With the port that was really bound. */
  readonly address: string;
  readonly port: number;
  readonly #socket: Deno.DatagramConn;
  /** Bound to the link-local address of one interface. */
  readonly #onOneLink: boolean;
  #received = 0;
  #datagrams = 0;
  #bytes = 0;
  #closed = false;

  /** Binds. Throws Failure. */
  constructor(address: DatagramAddress) {
    this.#socket = bind(
      address,
      (hostname) => Deno.listenDatagram({ transport: "udp", hostname, port: address.port }),
    );
    const { hostname, port } = this.#socket.addr as Deno.NetAddr;
    // Deno does not tell the zone of an address that it bound.
    const host = address.host?.includes("%") ? address.host : hostname;
    this.address = showAddress({ ...address, host, port });
    this.port = port;
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
  async echo(host: DatagramHost): Promise<void> {
    const buffer = new Uint8Array(RECEIVE_BUFFER);
    while (!this.#closed) {
      let datagram: Uint8Array;
      let from: Deno.NetAddr;
      try {
        [datagram, from] = await this.#socket.receive(buffer) as [Uint8Array, Deno.NetAddr];
      } catch (error) {
        if (this.#closed) return;
        host.deaf(this.address, error);
        await new Promise((resolve) => setTimeout(resolve, FAULT_PAUSE_MS));
        continue;
      }
      this.#received++;
      const refusal = this.#refusal(from, host);
      if (refusal !== undefined) {
        host.refused(shown(from), refusal);
        continue;
      }
      host.onDatagram?.(shown(from), datagram);
      try {
        await this.#socket.send(datagram, from);
        this.#datagrams++;
        this.#bytes += datagram.length;
      } catch (error) {
        host.failed(shown(from), error);
      }
    }
  }

  /** Why a datagram from there gets no answer, if so. */
  #refusal({ hostname, port }: Deno.NetAddr, { ownPorts }: DatagramHost): string | undefined {
    if (port < FIRST_FREE_PORT) return "its port is below 1024, so the answer might be echoed for ever";
    if (ownPorts.has(port)) return "its port is the server's own, so the answer might be echoed for ever";
    if (LINK_LOCAL.test(hostname) && !this.#onOneLink) {
      return "its address is link-local, and the answer could leave on another link; " +
        `listen on the link's own address, as udp://[fe80::1%eth0]:${this.port}`;
    }
    return undefined;
  }

  /** What was sent back since the last time that this was asked. */
  take(): { datagrams: number; bytes: number } {
    const taken = { datagrams: this.#datagrams, bytes: this.#bytes };
    this.#datagrams = this.#bytes = 0;
    return taken;
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

/** When all is settled, how long a client listens for a second reply to the last datagrams, or a late one. */
export const LINGER_MS = 100;
/** How many datagrams, and bytes in them, may be on their way: their replies fit into a receive buffer of 208 KiB. */
const WINDOW = 128;
const WINDOW_BYTES = 64 << 10;

/**
 * How many datagrams of `size` bytes a client may have on its way without losing replies in its own socket when
 * it does not get to read. The buffer also holds some 800 bytes of the system's own for each.
 */
export function datagramWindow(size: number): number {
  return Math.max(1, Math.min(WINDOW, Math.floor(WINDOW_BYTES / size)));
}

/** A client's socket for datagrams to one other end, and from there. */
export class DatagramPeer {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #ip: string;
  readonly #buffer = new Uint8Array(RECEIVE_BUFFER);
  /** Told where a datagram came from that is not of the other end. */
  onStray: (from: string) => void = () => {};

  private constructor(socket: Deno.DatagramConn, to: Deno.NetAddr) {
    this.#socket = socket;
    this.#to = to;
    this.#ip = canonical(to.hostname);
  }

  /**
   * The other end is the first address of the host, which is looked up once. Rejects when the name does not
   * resolve, or `signal` aborts before it does.
   */
  static async open(
    { host, port }: { readonly host: string; readonly port: number },
    signal: AbortSignal,
  ): Promise<DatagramPeer> {
    const [hostname = ""] = await addressesOf(host, signal);
    const local = hostname.includes(":") ? "::" : "0.0.0.0";
    const socket = Deno.listenDatagram({ transport: "udp", hostname: local, port: 0 });
    return new DatagramPeer(socket, { transport: "udp", hostname, port });
  }

  /** Resolves when the system has taken it, which does not depend on the other end. */
  send(datagram: Uint8Array): Promise<number> {
    return this.#socket.send(datagram, this.#to);
  }

  /** The next one from the other end; what it returns is overwritten by the one after. */
  async receive(): Promise<Uint8Array> {
    for (;;) {
      const [datagram, from] = await this.#socket.receive(this.#buffer) as [Uint8Array, Deno.NetAddr];
      if (this.#isPeer(from)) return datagram;
      this.onStray(shown(from));
    }
  }

  close(): void {
    this.#socket.close();
  }

  #isPeer({ hostname, port }: Deno.NetAddr): boolean {
    return port === this.#to.port && (hostname === this.#to.hostname || canonical(hostname) === this.#ip);
  }
}

/**
 * One spelling for each address: without the zone, which a received datagram does not tell. What is sent to the
 * unspecified address goes to this machine, and comes back from its loopback address.
 */
function canonical(host: string): string {
  const bytes = ipBytes(host.replace(/%.*/, ""));
  if (bytes === undefined) return host;
  const ip = showIp(bytes);
  return ip === "0.0.0.0" ? "127.0.0.1" : ip === "::" ? "::1" : ip;
}

function shown({ hostname, port }: Deno.NetAddr): string {
  return showPeer(hostname, port);
}
