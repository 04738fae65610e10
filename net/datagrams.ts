/** UDP as a client needs it: a socket for one other end, and how much of its traffic fits on the way. */

import { showPeer } from "../base/address.ts";
import { errno } from "../base/errors.ts";
import { ipBytes, showIp } from "../base/ip.ts";
import { addressesOf } from "./tcp.ts";

/** More than any datagram has (65,507 bytes over IPv4, 65,527 over IPv6): a buffer too small would cut silently. */
export const RECEIVE_BUFFER = 65_536;

/**
 * Whether it tells that an earlier datagram of ours did not get there: Windows lets a receive fail when an ICMP message
 * says so (recvfrom: WSAECONNRESET, WSAENETRESET), other systems do not tell. The socket is as good as before.
 */
export function isOldNews(error: unknown): boolean {
  return ["ECONNRESET", "ENETRESET"].includes(errno(error));
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
      try {
        const [datagram, from] = await this.#socket.receive(this.#buffer) as [Uint8Array, Deno.NetAddr];
        if (this.#isPeer(from)) return datagram;
        this.onStray(showPeer(from.hostname, from.port));
      } catch (error) {
        if (!isOldNews(error)) throw error;
      }
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
