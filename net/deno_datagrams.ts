/** UDP by `Deno.listenDatagram`, one datagram at a time. */

import { errno } from "../base/errors.ts";
import { ipBytes, showIp } from "../base/ip.ts";
import {
  type Datagram,
  type DatagramOptions,
  type DatagramSocket,
  type Echoer,
  LINK_LOCAL,
  RECEIVE_BUFFER,
  type Receiver,
} from "./datagram_socket.ts";
import type { Endpoint } from "./stream.ts";

/** The one that arrived last. */
class Arrived implements Datagram {
  readonly #to: Endpoint | undefined;
  readonly #ip: string;
  bytes = new Uint8Array();
  from: Deno.NetAddr = { transport: "udp", hostname: "", port: 0 };

  constructor(to: Endpoint | undefined) {
    this.#to = to;
    this.#ip = canonical(to?.hostname ?? "");
  }

  get port(): number {
    return this.from.port;
  }

  get isLinkLocal(): boolean {
    return LINK_LOCAL.test(this.from.hostname);
  }

  get isReply(): boolean {
    const { hostname, port } = this.from;
    return port === this.#to?.port && (hostname === this.#to.hostname || canonical(hostname) === this.#ip);
  }
}

/** See DatagramSocket. */
class DenoDatagramSocket implements DatagramSocket {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #buffer = new Uint8Array(RECEIVE_BUFFER);
  readonly #arrived: Arrived;

  constructor(socket: Deno.DatagramConn, to: Endpoint | undefined) {
    this.#socket = socket;
    this.#to = { transport: "udp", hostname: "", port: 0, ...to };
    this.#arrived = new Arrived(to);
  }

  get local(): Endpoint {
    return this.#socket.addr as Deno.NetAddr;
  }

  async receive(receiver: Receiver): Promise<never> {
    const arrived = this.#arrived;
    for (;;) {
      await this.#next();
      const now = performance.now();
      receiver.take(arrived, now);
      receiver.taken(now);
    }
  }

  async echo(echoer: Echoer): Promise<never> {
    const arrived = this.#arrived;
    for (;;) {
      await this.#next();
      if (!echoer.wants(arrived)) continue;
      try {
        await this.#socket.send(arrived.bytes, arrived.from);
        echoer.sent(arrived.bytes.length);
      } catch (error) {
        echoer.failed(arrived, error);
      }
    }
  }

  send(datagram: Uint8Array): Promise<number> {
    return this.#socket.send(datagram, this.#to);
  }

  close(): void {
    this.#socket.close();
  }

  /** Waits until one has arrived. */
  async #next(): Promise<void> {
    for (;;) {
      try {
        const [bytes, from] = await this.#socket.receive(this.#buffer);
        this.#arrived.bytes = bytes;
        this.#arrived.from = from as Deno.NetAddr;
        return;
      } catch (error) {
        if (!isOldNews(error)) throw error; // no pause: a client that has left must not slow the others down
      }
    }
  }
}

/** Binds one. */
export function open({ local, to }: DatagramOptions): DatagramSocket {
  return new DenoDatagramSocket(Deno.listenDatagram({ transport: "udp", ...local }), to);
}

/**
 * Whether it tells that an earlier datagram of ours did not get there: Windows lets a receive fail when an ICMP message
 * says so (recvfrom: WSAECONNRESET, WSAENETRESET), other systems do not tell. The socket is as good as before.
 */
function isOldNews(error: unknown): boolean {
  return ["ECONNRESET", "ENETRESET"].includes(errno(error));
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
