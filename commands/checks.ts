/** What must hold between the flags of a command and its addresses. Each check throws UsageError. */

import {
  type Address,
  isDatagram,
  isEncrypted,
  isLocal,
  type NetAddress,
  showAddress,
} from "../base/address.ts";
import type { Network } from "../base/ip.ts";
import { type Engine, epollObstacle } from "../net/engine.ts";
import { PLATFORM } from "../base/platform.ts";
import { LARGEST_DATAGRAM, UsageError } from "../base/units.ts";

/** `--engine`. */
export function checkEngine(engine: Engine): void {
  const fault = engine === "epoll" ? epollObstacle() : undefined;
  if (fault !== undefined) throw new UsageError(`--engine ${engine} cannot be had here: ${fault}`);
}

/** `serve`: flags that contradict each other or the addresses, and addresses that contradict each other. */
export function checkServer(
  { quiet, logLevel, socketMode, workers }: {
    quiet: boolean;
    logLevel: string | undefined;
    socketMode: number | undefined;
    workers: number | "auto";
  },
  addresses: readonly Address[],
): void {
  if (quiet && logLevel !== undefined && logLevel !== "warn") {
    throw new UsageError(
      `--quiet is --log-level warn, and ${logLevel} is given besides; leave one of them out`,
    );
  }
  if (socketMode !== undefined && !addresses.some(isLocal)) {
    throw new UsageError(
      "--socket-mode is of a Unix socket; it needs an address such as unix:/run/echo.sock",
    );
  }
  if (workers !== 1 && !PLATFORM.sharedPorts) {
    throw new UsageError(
      `--workers ${workers} takes a port that threads share (SO_REUSEPORT of Linux), and this is ` +
        `${PLATFORM.name}; leave it out`,
    );
  }
  for (const [i, address] of addresses.entries()) {
    const other = addresses.slice(0, i).find((earlier) => samePlace(earlier, address));
    if (other === undefined) continue;
    const [a, b] = [showAddress(other), showAddress(address)];
    throw new UsageError(
      a === b ? `${a} is given twice; once is enough` : `${a} and ${b} are the same port; leave one out`,
    );
  }
}

/** Whether the system would not let us listen on both. */
function samePlace(a: Address, b: Address): boolean {
  if (isLocal(a) || isLocal(b)) return showAddress(a) === showAddress(b);
  if (a.port !== b.port || a.port === 0 || isDatagram(a) !== isDatagram(b)) return false;
  const covers = ({ host = "::" }: NetAddress, other: NetAddress) =>
    host === "::" || host === other.host || host === "0.0.0.0" && !(other.host ?? "::").includes(":");
  return covers(a, b) || covers(b, a);
}

/** `serve --proxy-protocol --trust`; `readsBeforeTls`: whether this Deno can read a header before a handshake. */
export function checkProxyServer(
  { proxyProtocol, trust }: { proxyProtocol: boolean; trust: readonly Network[] | undefined },
  addresses: readonly Address[],
  readsBeforeTls: boolean,
): void {
  if (proxyProtocol && trust === undefined) {
    throw new UsageError(
      "--proxy-protocol needs --trust CIDR[,CIDR...], the proxies: anybody else could claim to be anyone",
    );
  }
  if (!proxyProtocol && trust !== undefined) {
    throw new UsageError("--trust names those who may send a PROXY header; it needs --proxy-protocol");
  }
  if (!proxyProtocol) return;
  for (const address of addresses) {
    checkCarrier(address);
    if (isEncrypted(address) && !readsBeforeTls) {
      throw new UsageError(
        `--proxy-protocol on ${showAddress(address)} takes Deno 2.9: this one begins a TLS handshake at once`,
      );
    }
  }
}

/** `connect --proxy-protocol`. */
export function checkProxyClient(proxyProtocol: string | undefined, address: Address): void {
  if (proxyProtocol !== undefined) checkCarrier(address);
}

function checkCarrier(address: Address): void {
  if (isDatagram(address)) {
    throw new UsageError(
      `--proxy-protocol is for connections, and there are none on ${showAddress(address)}`,
    );
  }
  if (isLocal(address)) {
    throw new UsageError(
      `--proxy-protocol is for IP addresses, and there are none on ${showAddress(address)}`,
    );
  }
}

/** What `connect` can do with datagrams alone, and what with connections alone. */
export function checkDatagrams(
  { size, retry }: { size: number | undefined; retry: number | undefined },
  address: Address,
  message: string,
): void {
  if (!isDatagram(address)) {
    if (size !== undefined) throw new UsageError("--size is of datagrams; it needs a udp address");
    return;
  }
  if (retry !== undefined) {
    throw new UsageError("--retry is for connections, and UDP has none; try a longer --timeout");
  }
  const bytes = new TextEncoder().encode(`${message}\n`).length;
  if (bytes > LARGEST_DATAGRAM) {
    throw new UsageError(
      `the message has ${bytes} bytes with its newline; a datagram takes ${LARGEST_DATAGRAM}`,
    );
  }
}

/** The flags of TLS, by their names. */
export interface TlsFlags {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca?: string | undefined;
  readonly "client-ca"?: string | undefined;
  readonly "save-cert"?: string | undefined;
  readonly "server-name"?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly insecure?: boolean;
}

/** They go with tls addresses, and some not with each other; those of `beyond` are more than this Deno can do. */
export function checkTls(
  flags: TlsFlags,
  addresses: readonly Address[],
  beyond: readonly (keyof TlsFlags)[],
): void {
  const given = (Object.keys(flags) as (keyof TlsFlags)[]).filter((name) => flags[name]); // none is ever ""
  if (given[0] !== undefined && !addresses.some(isEncrypted)) {
    throw new UsageError(`--${given[0]} is of TLS; it needs an address such as tls://:8891`);
  }
  if (given.includes("cert") !== given.includes("key")) {
    const missing = given.includes("cert") ? "key" : "cert";
    throw new UsageError(`--cert and --key go together; --${missing} is missing`);
  }
  if (given.includes("cert") && given.includes("save-cert")) {
    throw new UsageError("--save-cert writes the certificate that is made; with --cert none is");
  }
  const other = given.includes("fingerprint") && given.find((name) => name === "insecure" || name === "ca");
  if (other) {
    throw new UsageError(`--fingerprint trusts one certificate alone; it does not go with --${other}`);
  }
  const tooNew = given.find((name) => beyond.includes(name));
  if (tooNew !== undefined) {
    const instead = tooNew === "fingerprint" ? "; try serve --save-cert FILE, and --ca FILE here" : "";
    throw new UsageError(
      `--${tooNew} takes Deno 2.9; this is ${Deno.version.deno}, which cannot enforce it${instead}`,
    );
  }
}
