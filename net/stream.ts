/** What the rest of the program knows of a connection, whatever carries it. */

import type { KernelView } from "../base/kernel_view.ts";
import type { Engine } from "./engine.ts";
import type { ClientTls, ServerTls } from "./tls_settings.ts";

/**
 * One connection: bytes both ways, each direction closed on its own. `Deno.Conn` is one. Where a call need not wait it
 * may return its value at once: whoever is in a hurry looks before awaiting it.
 */
export interface Stream {
  /** Fills the start of `into`; null at the end of the stream. One call at a time. */
  read(into: Uint8Array): number | null | Promise<number | null>;
  /**
   * Where an engine can wait without a buffer: resolves when it is worth to read; undefined: it is so now. Whoever
   * calls this waits for it before the next read.
   */
  arrival?(): Promise<void> | undefined;
  /** May take less than all of it; `bytes` may be used again when it resolves. One call at a time. */
  write(bytes: Uint8Array): number | Promise<number>;
  /** Ends our direction (TCP: FIN; TLS: close_notify). */
  closeWrite(): Promise<void>;
  /** Once. What is pending then rejects or ends, and the peer sees the end. */
  close(): void;
  /** By then had come what a read found that had to wait for it: performance.now(), where the engine tells. */
  readonly arrivedAt?: number;
  /**
   * Whether an answer is expected soon. An engine that can, then waits for it exactly, and holds up the rest of the
   * thread for up to 20 ms at a time.
   */
  expecting?(answer: boolean): void;
  /** What the kernel says of it by now; there is none where it is no TCP, or the engine is Deno's. */
  kernelView?(): KernelView | undefined;
  /** Set where close() frees no descriptor before the peer has left. */
  readonly lingers?: boolean;
}

/** How long a write may take to tell why the other end is gone: the system tells of a reset but once. */
export const LAST_WORD_MS = 20;

/** An accepted connection belongs to whoever accepted it, who closes its stream. */
export interface Accepted {
  readonly stream: Stream;
  readonly peer: string;
  /** Who the client is, where it had to prove that. */
  readonly identity?: Identity;
}

/** What a certificate that was verified says of its owner; the subject is safe to show. */
export interface Identity {
  readonly subject: string;
  readonly fingerprint: string;
}

/**
 * What a new connection goes through before its first byte is echoed: a PROXY header, a TLS handshake. It runs
 * in the connection's own task, so that a slow one holds up nobody, and it ends by itself after a time. It
 * throws when the connection must not be served; the stream that it was given is closed by the caller.
 */
export type Welcome = (accepted: Accepted) => Promise<Accepted>;

/** Where connections are accepted. Whoever made it closes it. */
export interface Listener {
  /** With the port that was really bound. */
  readonly address: string;
  readonly welcome?: Welcome;
  /** Rejects when one connection fails, when a resource is short, and for ever once it is closed. */
  accept(): Promise<Accepted>;
  /** How many of its connections were closed and hold a descriptor still; undefined: its connections do not linger. */
  closing?(): number;
  /** Shows this to the clients that come from now on. */
  renew?(tls: ServerTls): void;
  close(): void;
}

/** How to listen, whatever the scheme. */
export interface ListenOptions {
  /** Several threads listen on the same port (SO_REUSEPORT). */
  readonly shared: boolean;
  /** Permission bits of a Unix socket; undefined: what the umask leaves. */
  readonly socketMode: number | undefined;
  /** For tls addresses, which are refused without it. */
  readonly tls: ServerTls | undefined;
}

/** One end of a TCP connection; `Deno.NetAddr` is one. */
export interface Endpoint {
  /** An IP address; a v6 address without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/**
 * What goes before everything else on a connection, a TLS handshake too: a PROXY header of this version. Plain data,
 * so that it can be posted to a worker.
 */
export type Preamble = "v1" | "v2";

/** Of IP addresses. */
export type Family = 4 | 6;

/** Which way to the other end; what is undefined is for the system to choose. Plain data, as the preamble. */
export interface Way {
  /** Of the addresses of a name, those of this family alone. */
  readonly family: Family | undefined;
  /** The IP address to come from. */
  readonly source: string | undefined;
  /** The network interface to go out by: SO_BINDTODEVICE of socket(7). */
  readonly device: string | undefined;
  /** How many routers a packet may pass: IP_TTL of ip(7), or the hop limit of ipv6(7). */
  readonly ttl: number | undefined;
  /** The byte of the type of service, or of the traffic class: IP_TOS of ip(7), RFC 2474. */
  readonly tos: number | undefined;
}

/** How to connect, whatever the scheme. */
export interface DialOptions {
  readonly engine: Engine;
  readonly tls: ClientTls;
  readonly preamble: Preamble | undefined;
  readonly way: Way;
}

/** A connection that was made, and what there is to tell of it: a line each, for the user. */
export interface Dialled {
  readonly stream: Stream;
  /** The IP address and port that answered: see showPeer; undefined for a path of this machine. */
  readonly peer: string | undefined;
  readonly details: readonly string[];
  /** What the handshake of TLS took, in milliseconds. */
  readonly handshakeMs?: number;
}

/** What a scheme makes of one address. */
export interface Transport {
  /** Throws Failure. */
  listen(options: ListenOptions): Promise<Listener>;
  /** Throws Failure; gives up when `signal` aborts. */
  dial(options: DialOptions, signal: AbortSignal): Promise<Dialled>;
}
