/** TCP: `Deno.listen` and `Deno.connect`. */

import { DEFAULT_HOST, type NetAddress, showAddress, showPeer } from "../base/address.ts";
import { errno, failure } from "../base/errors.ts";
import { firstToAnswer } from "./names.ts";
import { encodeHeader } from "./proxy/header.ts";
import { reach, undialled } from "./reach.ts";
import type { Dialled, DialOptions, Listener, ListenOptions, Preamble, Transport, Way } from "./stream.ts";

/** How many connections may wait to be accepted (listen(2)); the kernel caps it at net.core.somaxconn. */
export const BACKLOG = 4096;

/** TCP (RFC 9293) to or at this address, with TCP_NODELAY and keepalive on every connection: tcp(7). */
export function tcp(address: NetAddress): Transport {
  return {
    listen: (options) => listen(address, options),
    dial: (options, signal) => dial(address, options, signal),
  };
}

async function listen(address: NetAddress, { shared }: ListenOptions): Promise<Listener> {
  const { port } = address;
  const listener = await bind(
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

async function dial(
  address: NetAddress,
  { preamble, way }: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  if (way.source !== undefined) {
    const { host = DEFAULT_HOST, port } = address;
    try {
      return { ...await reach(host, port, preamble, way, signal), details: [] };
    } catch (error) {
      throw undialled(address, error);
    }
  }
  const conn = await connect(address, preamble, way, signal);
  return { stream: conn, peer: peerOf(conn), details: [] };
}

/** A TCP connection of Deno's own on which the preamble is sent, for TLS on top of it too. Throws Failure. */
export async function connect(
  address: NetAddress,
  preamble: Preamble | undefined,
  way: Way,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const { host = DEFAULT_HOST, port } = address;
  try {
    const conn = await firstToAnswer(host, way, signal, {
      open: (hostname, signal) => Deno.connect({ hostname, port, signal }),
      close: (conn) => conn.close(),
    });
    try {
      tune(conn);
      if (preamble !== undefined) {
        const bytes = encodeHeader(preamble, conn.localAddr, conn.remoteAddr);
        for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      }
      return conn;
    } catch (error) {
      conn.close();
      throw error;
    }
  } catch (error) {
    throw undialled(address, error);
  }
}

/** Who is at the other end. */
export function peerOf({ remoteAddr: { hostname, port } }: Deno.TcpConn): string {
  return showPeer(hostname, port);
}

/** Listens on the host of the address, or else on every interface. Throws Failure. */
export async function bind<L>(
  address: NetAddress,
  listen: (hostname: string) => L | Promise<L>,
): Promise<L> {
  try {
    if (address.host !== undefined) return await listen(address.host);
    try {
      return await listen("::"); // both families: IPv4 clients show as ::ffff:a.b.c.d
    } catch (error) {
      if (["EADDRINUSE", "EACCES"].includes(errno(error))) throw error;
      return await listen("0.0.0.0"); // a machine without IPv6
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
