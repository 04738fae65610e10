/** TCP: `Deno.listen` and `Deno.connect`. */

import { type NetAddress, showAddress, showPeer } from "../cli/address.ts";
import { errno, failure } from "./errors.ts";
import type { Listener, ListenOptions, Preamble, Transport } from "./stream.ts";

/** How many connections may wait to be accepted (listen(2)); the kernel caps it at net.core.somaxconn. */
export const BACKLOG = 4096;

export function tcp(address: NetAddress): Transport {
  return {
    listen: (options) => Promise.resolve(listen(address, options)),
    dial: async ({ preamble }, signal) => ({ stream: await dial(address, preamble, signal), details: [] }),
  };
}

function listen(address: NetAddress, { shared }: ListenOptions): Listener {
  const { port } = address;
  const listener = bind(
    address,
    (hostname) => Deno.listen({ hostname, port, tcpBacklog: BACKLOG, reusePort: shared }),
  );
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
}

/** A TCP connection on which the preamble is sent, for a transport on top of it too. Throws Failure. */
export async function dial(
  address: NetAddress,
  preamble: Preamble | undefined,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const { host: hostname = "127.0.0.1", port } = address;
  try {
    const conn = await Deno.connect({ hostname, port, signal });
    try {
      tune(conn);
      const bytes = preamble?.(conn.localAddr, conn.remoteAddr) ?? new Uint8Array();
      for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      return conn;
    } catch (error) {
      conn.close();
      throw error;
    }
  } catch (error) {
    throw failure("connect to", showAddress({ ...address, host: hostname }), error);
  }
}

/** Listens on the host of the address, or else on every interface. Throws Failure. */
export function bind<L>(address: NetAddress, listen: (hostname: string) => L): L {
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
