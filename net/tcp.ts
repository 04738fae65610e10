/** TCP: `Deno.listen` and `Deno.connect`. */

import { DEFAULT_HOST, type NetAddress, showAddress, showPeer } from "../base/address.ts";
import { errno, Failure, failure, Unreachable } from "../base/errors.ts";
import { unlessAborted } from "../base/time.ts";
import { encodeHeader } from "./proxy/header.ts";
import type { Listener, ListenOptions, Preamble, Transport } from "./stream.ts";

/** How many connections may wait to be accepted (listen(2)); the kernel caps it at net.core.somaxconn. */
export const BACKLOG = 4096;

/** TCP (RFC 9293) to or at this address, with TCP_NODELAY and keepalive on every connection: tcp(7). */
export function tcp(address: NetAddress): Transport {
  return {
    listen: (options) => listen(address, options),
    dial: async ({ preamble }, signal) => ({ stream: await dial(address, preamble, signal), details: [] }),
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

/** A TCP connection on which the preamble is sent, for a transport on top of it too. Throws Failure. */
export async function dial(
  address: NetAddress,
  preamble: Preamble | undefined,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const { host = DEFAULT_HOST, port } = address;
  try {
    const conn = await firstToAnswer(host, signal, {
      open: (hostname, signal) => Deno.connect({ hostname, port, signal }).catch(told),
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
    throw failure("connect to", showAddress({ ...address, host }), error);
  }
}

const NO_SOURCE =
  "this machine has no port free for it, or no address that leads there; wait until closed connections are forgotten";
/** What connect(2) means by what means something else for a listener. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: NO_SOURCE,
  EADDRINUSE: NO_SOURCE, // so Windows says it
  EACCES: "not permitted by the system; a firewall rule forbids it, or it is an address of many (broadcast)",
};

/** Throws it, in these words where there are any. */
function told(error: unknown): never {
  const why = REASONS[errno(error)];
  throw why === undefined ? error : new Failure(why, { cause: error });
}

/** How long an address may be silent before the next one of the same name is tried beside it (RFC 8305, 5). */
const ATTEMPT_DELAY_MS = 250;

/** How to make a connection to one IP address, and how to be rid of one that came too late. */
export interface Attempt<C> {
  open(ip: string, signal: AbortSignal): Promise<C>;
  close(connection: C): void;
}

/**
 * A connection to the first of the host's addresses that answers, in the order of the resolver. Deno 2.7 itself
 * would try none but the first. Throws Unreachable when all addresses of a name have failed; gives up when `signal`
 * aborts.
 */
export async function firstToAnswer<C>(
  host: string,
  signal: AbortSignal,
  { open, close }: Attempt<C>,
): Promise<C> {
  if (isIp(host)) return await open(host, signal);
  const ips = await addressesOf(host, signal);
  const { promise, resolve, reject } = Promise.withResolvers<C>();
  const won = new AbortController();
  const either = AbortSignal.any([signal, won.signal]);
  const faults = new Map<string, unknown>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waiting = ips.values();
  const tryNext = () => {
    clearTimeout(timer);
    const { value: ip } = waiting.next();
    if (ip === undefined) return;
    timer = setTimeout(tryNext, ATTEMPT_DELAY_MS);
    open(ip, either).then(
      (connection) => {
        if (won.signal.aborted) return close(connection);
        won.abort();
        resolve(connection);
      },
      (error) => {
        faults.set(ip, signal.aborted ? new Error("no answer") : error);
        if (faults.size === ips.length) reject(new Unreachable(faults));
        else if (!won.signal.aborted) tryNext();
      },
    );
  };
  tryNext();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The IP addresses of a host, without repetition, in the order of the resolver. Rejects when the name does not
 * resolve, or `signal` aborts before it does.
 */
export async function addressesOf(host: string, signal: AbortSignal): Promise<readonly string[]> {
  if (isIp(host)) return [host];
  const { lookup } = await import("node:dns/promises");
  const found = await unlessAborted(signal, lookup(host, { all: true, verbatim: true }), () => {
    const name: unknown = signal.reason;
    throw new Error(
      typeof name === "string" ? `interrupted by ${name}` : "the name does not resolve in time",
    );
  });
  return [...new Set(found.map(({ address }) => address))];
}

/** A name, in an address that was parsed, never ends in a number. */
function isIp(host: string): boolean {
  return /:|\.\d+$/.test(host);
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
