/** UDP as a client needs it: a socket for one other end, and how much of its traffic fits on the way. */

import { showPeer } from "../base/address.ts";
import type { Datagram, DatagramSocket } from "./datagram_socket.ts";
import type { Engine } from "./engine.ts";
import { addressesOf, connectFault, familyOf } from "./names.ts";
import { openDatagramSocket } from "./schemes.ts";
import type { Endpoint, Way } from "./stream.ts";

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
  readonly #socket: DatagramSocket;
  /** The address that everything goes to. */
  readonly peer: string;
  /** Told where a datagram came from that is not of the other end. */
  onStray: (from: string) => void = () => {};

  private constructor(socket: DatagramSocket, { hostname, port }: Endpoint) {
    this.#socket = socket;
    this.peer = showPeer(hostname, port);
  }

  /**
   * The other end is the first address of the host, which is looked up once. Rejects when the name does not
   * resolve, or `signal` aborts before it does.
   */
  static async open(
    { host, port }: { readonly host: string; readonly port: number },
    { engine, way }: { readonly engine: Engine; readonly way: Way },
    signal: AbortSignal,
  ): Promise<DatagramPeer> {
    const { family, source } = way;
    const [hostname = ""] = await addressesOf(host, family, signal);
    const to = { hostname, port };
    const local = { hostname: source ?? (familyOf(hostname) === 6 ? "::" : "0.0.0.0"), port: 0 };
    try {
      return new DatagramPeer(await openDatagramSocket(engine, { local, to, way }), to);
    } catch (error) {
      throw connectFault(way, error);
    }
  }

  /** See DatagramSocket. */
  send(datagram: Uint8Array): number | Promise<number> {
    return this.#socket.send(datagram);
  }

  /**
   * Hands over what comes from the other end: a datagram, and when it was there; then it tells that this was all that
   * had arrived. Rejects when receiving fails, or it is closed.
   */
  receive(take: (datagram: Uint8Array, now: number) => void, taken: (now: number) => void): Promise<never> {
    const judge = (datagram: Datagram, now: number) => {
      if (datagram.isReply) return take(datagram.bytes, now);
      const { hostname, port } = datagram.from;
      this.onStray(showPeer(hostname, port));
    };
    return this.#socket.receive({ take: judge, taken });
  }

  /** See Stream. */
  expecting(answer: boolean): void {
    this.#socket.expecting?.(answer);
  }

  close(): void {
    this.#socket.close();
  }
}
