/**
 * TLS by Deno's own functions, for Deno 2.7, whose node:tls does not work. Its server connections have no
 * TCP_NODELAY: an echo of more than 16 KB takes 44 ms or more.
 */

import { DEFAULT_HOST, type NetAddress, showAddress, showPeer } from "../../base/address.ts";
import { failure } from "../../base/errors.ts";
import type { Dialled, DialOptions, Listener, ListenOptions } from "../stream.ts";
import { BACKLOG, bind, dial as dialTcp } from "../tcp.ts";
import { within } from "../../base/time.ts";
import { HANDSHAKE_MS, handshakeFailure, lateHandshake } from "./handshake.ts";

/** Throws Failure. */
export async function listen(address: NetAddress, { shared, tls }: ListenOptions): Promise<Listener> {
  if (tls === undefined) throw new Error("a tls address without a certificate");
  const { cert, key } = tls;
  const { port } = address;
  const listener = await bind(
    address,
    (hostname) => Deno.listenTls({ hostname, port, cert, key, tcpBacklog: BACKLOG, reusePort: shared }),
  );
  return {
    address: showAddress({ ...address, host: listener.addr.hostname, port: listener.addr.port }),
    async accept() {
      const conn = await listener.accept();
      const { hostname, port } = conn.remoteAddr;
      return { stream: conn, peer: showPeer(hostname, port) };
    },
    async welcome(accepted) {
      const shaken = (accepted.stream as Deno.TlsConn).handshake().catch((error) => {
        throw handshakeFailure(error);
      });
      await within(HANDSHAKE_MS, shaken, lateHandshake);
      return accepted;
    },
    close: () => listener.close(),
  };
}

/** Throws Failure. */
export async function dial(
  address: NetAddress,
  { tls, preamble }: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const { host = DEFAULT_HOST } = address;
  const conn = await dialTcp(address, preamble, signal);
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
      details: [`TLS, ${alpn}; Deno 2.7 does not tell its version, cipher and certificate`],
      handshakeMs: performance.now() - begin,
    };
  } catch (error) {
    throw failure("connect to", showAddress({ ...address, host }), handshakeFailure(error));
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
