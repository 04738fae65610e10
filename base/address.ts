/** Addresses: `[scheme://]host[:port]`, `:port`, a bare port, `[v6]:port`, `unix:/path`. */

import { PLATFORM } from "./platform.ts";
import { type Scheme, SCHEMES, type SchemeWith, traits } from "./schemes.ts";
import { UsageError } from "./units.ts";

/** Where echo listens and connects where no port is named; RFC 862 has port 7, which takes privileges. */
export const DEFAULT_PORT = 8890;

/** Whom a client means that names no host. */
export const DEFAULT_HOST = "127.0.0.1";

/** Where to listen or connect. Without a host: every interface to a listener, DEFAULT_HOST to a client. */
export interface NetAddress {
  readonly scheme: Exclude<Scheme, SchemeWith<"local">>;
  /** A name or an IP address; a v6 address without its brackets. */
  readonly host?: string;
  readonly port: number;
}

/** A socket in the file system. */
export interface UnixAddress {
  readonly scheme: SchemeWith<"local">;
  readonly path: string;
}

/** An address of connections. */
export type StreamAddress =
  | NetAddress & { readonly scheme: Exclude<Scheme, SchemeWith<"local"> | SchemeWith<"datagrams">> }
  | UnixAddress;
/** An address of datagrams. */
export type DatagramAddress = NetAddress & { readonly scheme: SchemeWith<"datagrams"> };
/** Wherever echo can listen or connect. */
export type Address = StreamAddress | DatagramAddress;

/** Whether datagrams go there; else connections are made. */
export function isDatagram(address: Address): address is DatagramAddress {
  return traits(address.scheme).datagrams;
}

/** Whether it is a path of this machine; else it has a host and a port. */
export function isLocal(address: Address): address is UnixAddress {
  return traits(address.scheme).local;
}

/** Whether the bytes go through TLS. */
export function isEncrypted({ scheme }: Address): boolean {
  return traits(scheme).encrypted;
}

/** Whether several threads can listen there. */
export function isShareable(
  address: Address,
): address is Extract<Address, { scheme: SchemeWith<"shareable"> }> {
  return traits(address.scheme).shareable;
}

/** The address that a client means, with its host. */
export function withHost(address: Address): Address {
  return isLocal(address) ? address : { host: DEFAULT_HOST, ...address };
}

/** Reads one address as a person types it. Throws UsageError, which says what would be right. */
export function parseAddress(text: string): Address {
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/|(unix):)?(.*)$/is.exec(text);
  const name = match?.[1] ?? match?.[2] ?? "tcp";
  const rest = match?.[3] ?? "";
  const scheme = SCHEMES.find((known) => known === name.toLowerCase());
  if (scheme === undefined) wrong(text, `unknown scheme "${name}"; known are ${SCHEMES.join(", ")}`);
  if (scheme === "unix") return { scheme, path: socketPath(rest, text) };
  const [, host = rest, path] = match?.[1] === undefined ? [] : /^([^/]*)\/(.*)$/s.exec(rest) ?? [];
  if (path) wrong(text, `what follows the port, ${JSON.stringify(`/${path}`)}, is no part of an address`);
  return { scheme, ...hostAndPort(host, text) };
}

/** Whether the address names this port, or leaves it to be the default. */
export function namesPort(text: string, { port }: NetAddress): boolean {
  return port !== DEFAULT_PORT || text.includes(String(DEFAULT_PORT));
}

/** The address as it is printed and can be typed again: `tcp://[::1]:8890`, `unix:/run/echo.sock`. */
export function showAddress(address: Address): string {
  if (isLocal(address)) return `${address.scheme}:${address.path}`;
  return `${address.scheme}://${showHost(address.host ?? "")}:${address.port}`;
}

/** A host and port for a log: v6 in brackets, and `::ffff:10.0.0.7` as the IPv4 address that it stands for. */
export function showPeer(host: string, port: number): string {
  return `${showHost(host.replace(/^::ffff:(?=\d+\.)/i, ""))}:${port}`;
}

/** The host in what `showPeer` made. */
export function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

function socketPath(path: string, text: string): string {
  const bytes = new TextEncoder().encode(path).length;
  if (!PLATFORM.unixSockets) {
    wrong(
      text,
      `Deno has no Unix sockets on ${PLATFORM.name}; a port of this machine alone is 127.0.0.1:8890`,
    );
  }
  if (path === "" || path.includes("\0")) wrong(text, "a Unix socket is written unix:/path");
  const most = PLATFORM.socketPath;
  if (bytes > most) wrong(text, `its path has ${bytes} bytes; a Unix socket takes ${most}`);
  return path;
}

function showHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** What is meant as a number is a port, right or wrong, and never the name of a host. */
const NUMBER = /^([+-]?\d+|\d+e\d+|0x[\da-f]+)$/i;

function hostAndPort(rest: string, text: string): { host?: string; port: number } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(rest);
  if (bracketed !== null) {
    const host = bracketed[1] ?? "";
    if (!isIPv6(host)) wrong(text, `${JSON.stringify(host)} is not an IPv6 address`);
    return { host, port: portOr(bracketed[2], text) };
  }
  if (NUMBER.test(rest)) return { port: parsePort(rest, text) };
  if (isIPv6(rest)) return { host: rest, port: DEFAULT_PORT };
  const [host = "", port, ...more] = rest.split(":");
  if (more.length > 0 && SCHEMES.some((scheme) => scheme === host.toLowerCase())) {
    wrong(text, `a scheme is written with slashes: ${host.toLowerCase()}://${[port, ...more].join(":")}`);
  }
  if (more.length > 0) wrong(text, "an IPv6 address with a port is written [::1]:8890");
  if (host === "") {
    if (port === undefined) wrong(text, "it is empty; give a host, :port, or both");
    return { port: parsePort(port, text) };
  }
  if (!isIPv4(host) && !isName(host)) {
    wrong(text, `${JSON.stringify(host)} is neither an IP address nor a host name${hint(host, text)}`);
  }
  return { host, port: portOr(port, text) };
}

/** What would be right in place of a host that is none. */
function hint(host: string, text: string): string {
  if (/^[\d.]+$/.test(host)) return "; an IPv4 address has four numbers from 0 to 255, such as 127.0.0.1";
  if (host === "*") return `; every interface is written ${text.replace("*", "")}`;
  if (/^\.{0,2}\//.test(text)) return `; a Unix socket is written unix:${text}`;
  return "";
}

function portOr(digits: string | undefined, text: string): number {
  return digits === undefined ? DEFAULT_PORT : parsePort(digits, text);
}

/** Whether the text is the number of a port, in decimal digits. */
export function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65535;
}

function parsePort(digits: string, text: string): number {
  if (!isPort(digits)) {
    wrong(text, `port ${JSON.stringify(digits)} is not a number from 0 to 65535 in decimal digits`);
  }
  return Number(digits);
}

function isIPv4(host: string): boolean {
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
}

function isIPv6(host: string): boolean {
  const [address = "", zone] = host.split("%", 2);
  return /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(address) && (zone === undefined || /^[\w.-]+$/.test(zone)) &&
    URL.canParse(`http://[${address}]/`);
}

/**
 * A host name (RFC 1123, with `_` as found in the field). The last label must not be a number: the resolver
 * would take `0` or `127.1` for an IPv4 address in an old notation.
 */
function isName(host: string): boolean {
  const labels = host.replace(/\.$/, "").split(".");
  return host.length <= 253 &&
    labels.every((label) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label)) &&
    !/^(\d+|0[xX][0-9A-Fa-f]*)$/.test(labels.at(-1) ?? "");
}

function wrong(text: string, why: string): never {
  throw new UsageError(`bad address ${JSON.stringify(text)}: ${why}`);
}
