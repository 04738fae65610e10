/** A transport is a small set of functions, chosen once by the scheme of an address. */

import { type Address, type Scheme, showAddress, showPeer } from "../cli/address.ts";
import { errno, failure } from "./errors.ts";

/** One connection: bytes both ways, each direction closed on its own. `Deno.Conn` is one. */
export interface Stream {
  /** Fills the start of `into`; null at the end of the stream. One call at a time. */
  read(into: Uint8Array): Promise<number | null>;
  /** May take less than all of it. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends our direction (TCP: FIN). */
  closeWrite(): Promise<void>;
  close(): void;
}

/** An accepted connection belongs to whoever accepted it, who closes it. */
export interface Accepted {
  readonly stream: Stream;
  readonly peer: string;
}

export interface Listener {
  /** With the port that was really bound. */
  readonly address: string;
  /** Rejects when one connection fails, when a resource is short, and for ever once it is closed. */
  accept(): Promise<Accepted>;
  close(): void;
}

export interface Transport {
  /** Throws Failure. */
  listen(address: Address): Listener;
  /** Throws Failure; gives up when `signal` aborts. */
  dial(address: Address, signal: AbortSignal): Promise<Stream>;
}

/** How many connections may wait to be accepted (listen(2)); the kernel caps it at net.core.somaxconn. */
const BACKLOG = 4096;

const tcp: Transport = {
  listen(address) {
    const listener = bind(address);
    return {
      address: showAddress({ ...address, host: listener.addr.hostname, port: listener.addr.port }),
      async accept() {
        const conn = await listener.accept();
        try {
          tune(conn);
        } catch (error) {
          conn.close();
          throw error;
        }
        const { hostname, port } = conn.remoteAddr;
        return { stream: conn, peer: showPeer(hostname, port) };
      },
      close: () => listener.close(),
    };
  },

  async dial(address, signal) {
    const { host: hostname = "127.0.0.1", port } = address;
    try {
      const conn = await Deno.connect({ hostname, port, signal });
      tune(conn);
      return conn;
    } catch (error) {
      throw failure("connect to", showAddress({ ...address, host: hostname }), error);
    }
  },
};

export const transports: Partial<Record<Scheme, Transport>> = { tcp };

function bind(address: Address): Deno.TcpListener {
  const listen = (hostname: string) => Deno.listen({ hostname, port: address.port, tcpBacklog: BACKLOG });
  try {
    if (address.host !== undefined) return listen(address.host);
    try {
      return listen("::"); // both families: IPv4 clients show as ::ffff:a.b.c.d
    } catch (error) {
      if (["EADDRINUSE", "EACCES"].includes(errno(error))) throw error;
      return listen("0.0.0.0"); // a machine without IPv6
    }
  } catch (error) {
    throw failure("listen on", showAddress({ ...address, host: address.host ?? "::" }), error);
  }
}

/** Small messages leave at once (TCP_NODELAY), and a peer that vanished is noticed in the end (SO_KEEPALIVE). */
function tune(conn: Deno.TcpConn): void {
  conn.setNoDelay(true);
  conn.setKeepAlive(true);
}
