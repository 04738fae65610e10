/** Addresses as the system calls take them: ip(7), ipv6(7), unix(7). */

import { Failure } from "../../base/errors.ts";
import { ipBytes, showIp } from "../../base/ip.ts";
import type { Endpoint } from "../stream.ts";
import { FAMILY, interfaceIndex } from "./libc.ts";

const PORT = 2;
const V4 = { address: 4, size: 16 };
const V6 = { address: 8, scope: 24, size: 28 };
/** ::ffff:0:0/96: an IPv4 client of a socket for both families. */
const MAPPED = 12;

/** The sockaddr of an IP address, with a zone (`fe80::1%eth0`) or without. Throws Failure. */
export function inetAddress(host: string, port: number): Uint8Array {
  const [ip = "", zone] = host.split("%", 2);
  const bytes = ipBytes(ip);
  if (bytes === undefined) throw new Failure(`${host} is not an IP address`);
  const v6 = bytes.length === 16;
  const sockaddr = new Uint8Array(v6 ? V6.size : V4.size);
  const view = new DataView(sockaddr.buffer);
  setNative16(view, 0, v6 ? FAMILY.v6 : FAMILY.v4);
  view.setUint16(PORT, port);
  sockaddr.set(bytes, v6 ? V6.address : V4.address);
  if (zone !== undefined) view.setUint32(V6.scope, zoneIndex(zone), true);
  return sockaddr;
}

/** The sockaddr of a path. */
export function unixAddress(path: string): Uint8Array {
  const bytes = new TextEncoder().encode(path);
  const sockaddr = new Uint8Array(PORT + bytes.length + 1);
  setNative16(new DataView(sockaddr.buffer), 0, FAMILY.unix);
  sockaddr.set(bytes, PORT);
  return sockaddr;
}

/** Both processors of libc.ts are little-endian. */
function setNative16(view: DataView, at: number, value: number): void {
  view.setUint16(at, value, true);
}

function zoneIndex(zone: string): number {
  const index = /^\d+$/.test(zone) ? Number(zone) : interfaceIndex(zone);
  if (index === 0) throw new Failure(`this machine has no network interface ${zone}`);
  return index;
}

/** The family of a sockaddr that was made here or by the system. */
export function familyOf(sockaddr: Uint8Array): number {
  return (sockaddr[0] ?? 0) | (sockaddr[1] ?? 0) << 8;
}

/** The port of a sockaddr of an IP address. */
export function portOf(sockaddr: Uint8Array, at = 0): number {
  return (sockaddr[at + PORT] ?? 0) << 8 | (sockaddr[at + PORT + 1] ?? 0);
}

/** The IP address and port of a sockaddr; of an IPv4-mapped one the IPv4 address. No zone, as Deno tells none. */
export function endpointOf(sockaddr: Uint8Array, at = 0): Endpoint {
  return { hostname: hostOf(sockaddr, at), port: portOf(sockaddr, at) };
}

function hostOf(a: Uint8Array, at: number): string {
  if (a[at] === FAMILY.v4) return dotted(a, at + V4.address);
  const start = at + V6.address;
  let mapped = a[start + 10] === 0xff && a[start + 11] === 0xff;
  for (let i = 0; mapped && i < 10; i++) mapped = a[start + i] === 0;
  return mapped ? dotted(a, start + MAPPED) : showIp(a.subarray(start, start + 16));
}

function dotted(a: Uint8Array, at: number): string {
  return `${a[at]}.${a[at + 1]}.${a[at + 2]}.${a[at + 3]}`;
}

/** fe80::/10 (RFC 4291): an address that each link of a machine may have, so that it needs a zone to be reached. */
export function isLinkLocal(a: Uint8Array, at = 0): boolean {
  return a[at] === FAMILY.v6 && a[at + V6.address] === 0xfe &&
    ((a[at + V6.address + 1] ?? 0) & 0xc0) === 0x80;
}

/** Whether the sockaddr in `b` has the IP address and port of `a`. A zone is not compared. */
export function isSameEnd(a: Uint8Array, b: Uint8Array, at: number): boolean {
  const v4 = a[0] === FAMILY.v4;
  const { address } = v4 ? V4 : V6;
  const end = address + (v4 ? 4 : 16);
  if (a[0] !== b[at] || a[PORT] !== b[at + PORT] || a[PORT + 1] !== b[at + PORT + 1]) return false;
  for (let i = address; i < end; i++) if (a[i] !== b[at + i]) return false;
  return true;
}
