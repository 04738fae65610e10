/** What the rest of the program knows of a UDP socket, whatever moves its datagrams. */

import type { Endpoint, Way } from "./stream.ts";

/** More than any datagram has (65,507 bytes over IPv4, 65,527 over IPv6): a buffer too small would cut silently. */
export const RECEIVE_BUFFER = 65_536;

/** fe80::/10 (RFC 4291): an address that each link of a machine may have, so that it needs a zone to be reached. */
export const LINK_LOCAL = /^fe[89ab][0-9a-f]:/i;

/** One that has arrived. It is there during the call that it is handed to, and then overwritten by the next one. */
export interface Datagram {
  readonly bytes: Uint8Array;
  /** Where it came from; `from` makes strings, and the others do not. */
  readonly from: Endpoint;
  readonly port: number;
  /** From an address of fe80::/10. */
  readonly isLinkLocal: boolean;
  /** From where the socket sends to. */
  readonly isReply: boolean;
}

/** Takes what arrives. */
export interface Receiver {
  /** One of those that were there at `now` of performance.now(). */
  take(datagram: Datagram, now: number): void;
  /** That was the last of them. */
  taken(now: number): void;
}

/** Decides what is sent back, and keeps the books. */
export interface Echoer {
  /** Whether it is to go back to where it came from. */
  wants(datagram: Datagram): boolean;
  /** The system has taken one of so many bytes. */
  sent(bytes: number): void;
  /** One that was wanted could not be sent. */
  failed(datagram: Datagram, error: unknown): void;
}

/** A bound UDP socket. */
export interface DatagramSocket {
  /** Its own end, without a zone. */
  readonly local: Endpoint;
  /** Hands over what arrives. Rejects when receiving fails, after which it can be called again, or it is closed. */
  receive(receiver: Receiver): Promise<never>;
  /** Sends back what arrives. Where the system has no room, it waits. Rejects as `receive` does. */
  echo(echoer: Echoer): Promise<never>;
  /**
   * Sends one to the other end; resolves when the system has taken it, which does not depend on that end. One call at a
   * time.
   */
  send(datagram: Uint8Array): number | Promise<number>;
  /** See Stream. */
  expecting?(answer: boolean): void;
  /** Once. What waits in it to be sent fails, and then whoever receives or echoes. */
  close(): void;
}

/** How to open one. */
export interface DatagramOptions {
  /** A name or an IP address, and a port of 0 for any. */
  readonly local: Endpoint;
  /** The IP address and port of the other end, where there is only one. */
  readonly to?: Endpoint;
  /** Which way to it. */
  readonly way?: Way;
}
