/**
 * TLS by Deno's own functions, for Deno 2.7, whose node:tls does not work. Its server connections have no
 * TCP_NODELAY: an echo of more than 16 KB takes 44 ms or more.
 */

import { DEFAULT_HOST, type NetAddress, showAddress, showPeer } from "../../base/address.ts";
import { Failure, failure, isOutOfDescriptors } from "../../base/errors.ts";
import { openNull } from "../../base/platform.ts";
import type { Dialled, DialOptions, Listener, ListenOptions, Stream } from "../stream.ts";
import { BACKLOG, bind, connect, peerOf } from "../tcp.ts";
import { pause, within } from "../../base/time.ts";
import { HANDSHAKE_MS, handshakeFailure, lateHandshake } from "./handshake.ts";

/** So many handshakes at once, and clients that were closed and have not left, hold a descriptor; no more come in. */
const MOST_HELD = 2000;
/** How often what a closed client still sends is read and dropped: seldom, as all that counts is its end. */
const DROP_MS = 100;

/** Throws Failure. */
export async function listen(address: NetAddress, { shared, tls }: ListenOptions): Promise<Listener> {
  if (tls === undefined) throw new Error("a tls address without a certificate");
  const { cert, key } = tls;
  let { port } = address;
  const open = () =>
    bind(
      address,
      (hostname) => Deno.listenTls({ hostname, port, cert, key, tcpBacklog: BACKLOG, reusePort: shared }),
    );
  let listener: Deno.TlsListener | undefined = await open();
  const { hostname: host } = listener.addr;
  port = listener.addr.port;
  const held = { arriving: 0, closing: 0 };
  let place: Deno.FsFile | undefined;
  const shut = () => {
    if (listener === undefined) return;
    listener.close();
    listener = undefined;
    place = placeholder();
  };
  return {
    address: showAddress({ ...address, host, port }),
    closing: () => held.closing,
    /** To turn a newcomer away would hold a descriptor too: while there are none the port is shut, and the kernel does it. */
    async accept() {
      if (held.closing >= MOST_HELD) shut();
      if (held.arriving + held.closing >= MOST_HELD) {
        throw new Failure(
          `${held.arriving} handshakes and ${held.closing} closed clients that have not left`,
        );
      }
      place?.close();
      place = undefined;
      listener ??= await open();
      try {
        const conn = await listener.accept();
        const { hostname, port } = conn.remoteAddr;
        return { stream: new LingeringStream(conn, held), peer: showPeer(hostname, port) };
      } catch (error) {
        if (isOutOfDescriptors(error)) shut();
        throw error;
      }
    },
    async welcome(accepted) {
      const shaken = (accepted.stream as LingeringStream).handshake().catch((error) => {
        throw handshakeFailure(error);
      });
      await within(HANDSHAKE_MS, shaken, lateHandshake);
      return accepted;
    },
    close() {
      shut();
      place?.close();
    },
  };
}

/** Keeps the descriptor of a listener that was shut from other newcomers, until it is opened again. */
function placeholder(): Deno.FsFile | undefined {
  try {
    return openNull();
  } catch {
    return undefined;
  }
}

/** What is read of a client that was closed. */
const DROPPED = new Uint8Array(64 << 10);

/**
 * A client of the server. Deno 2.7 keeps a TLS connection that is closed until its client has left, and tells nobody.
 * So ours is told of the end, its task goes on at once, and it is really closed, and counted until then, when it has
 * left.
 */
class LingeringStream implements Stream {
  readonly lingers = true;
  readonly #conn: Deno.TlsConn;
  readonly #held: { arriving: number; closing: number };
  /** What is under way, and how whoever waits for it is told that the connection was closed. */
  readonly #pending = new Map<Promise<unknown>, (error: Failure) => void>();
  #arriving = true;

  constructor(conn: Deno.TlsConn, held: { arriving: number; closing: number }) {
    this.#conn = conn;
    this.#held = held;
    held.arriving++;
  }

  async handshake(): Promise<void> {
    await this.#await(this.#conn.handshake());
    this.#arrived();
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#await(this.#conn.read(into));
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#await(this.#conn.write(bytes));
  }

  closeWrite(): Promise<void> {
    return this.#await(this.#conn.closeWrite());
  }

  close(): void {
    this.#arrived();
    const pending = [...this.#pending];
    for (const [, reject] of pending) reject(new Failure("the connection was closed"));
    this.#linger(pending.map(([work]) => work));
  }

  #arrived(): void {
    if (this.#arriving) this.#held.arriving--;
    this.#arriving = false;
  }

  async #await<T>(work: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#pending.set(work, reject);
    work.then(resolve, reject);
    try {
      return await promise;
    } finally {
      this.#pending.delete(work);
    }
  }

  /** With nothing pending, and the end of the client read, close() does end it. */
  async #linger(pending: Promise<unknown>[]): Promise<void> {
    this.#held.closing++;
    const told = this.#conn.closeWrite().catch(() => {}); // the reads tell why
    try {
      await Promise.all(pending);
      while (await this.#conn.read(DROPPED) !== null) {
        await pause(DROP_MS);
      }
      await told;
    } catch { /* it broke off: nothing holds it */ }
    this.#conn.close();
    this.#held.closing--;
  }
}

/** Throws Failure. */
export async function dial(
  address: NetAddress,
  { tls, preamble, way }: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const { host = DEFAULT_HOST } = address;
  const conn = await connect(address, preamble, way, signal);
  const peer = peerOf(conn);
  const abort = () => conn.close();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const hostname = tls.serverName ?? host;
    const begin = performance.now();
    const secure = await Deno.startTls(conn, {
      hostname,
      ...(tls.ca === undefined ? {} : { caCerts: [tls.ca] }),
    });
    const { alpnProtocol } = await secure.handshake();
    const alpn = alpnProtocol === null ? "no ALPN" : `ALPN ${alpnProtocol}`;
    return {
      stream: secure,
      peer,
      details: [`TLS, ${alpn}; Deno 2.7 does not tell its version, cipher and certificate`],
      handshakeMs: performance.now() - begin,
    };
  } catch (error) {
    throw failure("connect to", showAddress({ ...address, host }), handshakeFailure(error));
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
