/** UDP as a server needs it: a socket that takes what comes, and sends back what may go back. */

import { pause } from "../base/time.ts";
import { RECEIVE_BUFFER } from "./datagrams.ts";
import type { Endpoint } from "./stream.ts";

/** fe80::/10 (RFC 4291): an address that each link of a machine may have, so that it needs a zone to be reached. */
const LINK_LOCAL = /^fe[89ab][0-9a-f]:/i;
/** After a failed receive, so that one that fails for ever does not spin. */
const FAULT_PAUSE_MS = 10;

/** A datagram that has come, and its sender. What it tells holds until the next one: all are the same object. */
export interface Arrival extends Endpoint {
  /** The sender's address is one that each link of this machine may have. */
  readonly isLinkLocal: boolean;
  readonly datagram: Uint8Array;
}

/** What becomes of the datagrams. */
export interface Rules {
  /** Whether it goes back to its sender. */
  admits(arrival: Arrival): boolean;
  /** So many were sent back, with so many bytes in all. */
  sent(datagrams: number, bytes: number): void;
  sendFailed(arrival: Endpoint, error: unknown): void;
  receiveFailed(error: unknown): void;
}

/** A bound socket. */
export interface DatagramService {
  readonly local: Endpoint;
  /** It is the link-local address of one interface. */
  readonly isLinkLocal: boolean;
  /** Echoes until it is closed. No fault of the network ends it: at worst it costs one datagram. */
  echo(rules: Rules): Promise<void>;
  close(): void;
}

/** Opens one; rejects with the error of the system. */
export type OpenDatagrams = (hostname: string, port: number) => DatagramService | Promise<DatagramService>;

/** By Deno's own socket. */
export const openDatagrams: OpenDatagrams = (hostname, port) => new DenoDatagrams(hostname, port);

class DenoDatagrams implements DatagramService {
  readonly local: Endpoint;
  readonly isLinkLocal: boolean;
  readonly #socket: Deno.DatagramConn;
  #closed = false;

  constructor(hostname: string, port: number) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port });
    this.local = this.#socket.addr as Deno.NetAddr;
    this.isLinkLocal = LINK_LOCAL.test(this.local.hostname);
  }

  async echo(rules: Rules): Promise<void> {
    const arrival = new DenoArrival();
    const buffer = new Uint8Array(RECEIVE_BUFFER);
    while (!this.#closed) {
      try {
        [arrival.datagram, arrival.from] = await this.#socket.receive(buffer) as [Uint8Array, Deno.NetAddr];
      } catch (error) {
        if (this.#closed) return;
        rules.receiveFailed(error);
        await pause(FAULT_PAUSE_MS);
        continue;
      }
      if (!rules.admits(arrival)) continue;
      try {
        await this.#socket.send(arrival.datagram, arrival.from);
        rules.sent(1, arrival.datagram.length);
      } catch (error) {
        rules.sendFailed(arrival, error);
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
  }
}

class DenoArrival implements Arrival {
  datagram: Uint8Array = new Uint8Array();
  from: Deno.NetAddr = { transport: "udp", hostname: "", port: 0 };

  get hostname(): string {
    return this.from.hostname;
  }

  get port(): number {
    return this.from.port;
  }

  get isLinkLocal(): boolean {
    return LINK_LOCAL.test(this.hostname);
  }
}
