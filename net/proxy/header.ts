/**
 * The PROXY protocol, versions 1 and 2, to the letter of HAProxy's proxy-protocol.txt (sections 2.1 and 2.2): a
 * header at the very beginning of a connection tells from where the client of a proxy really comes.
 */

import { ipBytes, showIp } from "../../base/ip.ts";
import { Failure } from "../../base/errors.ts";
import type { Endpoint } from "../stream.ts";

/** What a buffer that begins with a header, or with the first bytes of one, turns out to hold. */
export type Parsed =
  /** So many bytes more, at least, belong to the header. */
  | { readonly state: "partial"; readonly more: number }
  | { readonly state: "bad"; readonly reason: string }
  /** The header has `length` bytes; without a source, the connection's own addresses count (UNKNOWN, LOCAL). */
  | { readonly state: "whole"; readonly length: number; readonly source: Endpoint | undefined };

const V2_SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10);
const V1_SIGNATURE = new TextEncoder().encode("PROXY ");
/** The longest line of version 1, with its CRLF. */
export const V1_LIMIT = 107;
const NO_V1 = "its line is neither UNKNOWN nor TCP4 or TCP6 with two addresses and two ports";
/** "PROXY UNKNOWN\r\n": no header of either version is shorter. */
const SHORTEST = 15;
const V2_FIXED = 16;

const LOCAL = 0;
const PROXY = 1;
/** The bytes of both addresses, with their ports, for AF_UNSPEC, AF_INET, AF_INET6 and AF_UNIX. */
const V2_ADDRESSES = [0, 12, 36, 216];
const AF_INET = 1;
const AF_INET6 = 2;
const AF_UNIX = 3;
const STREAM = 1;
const DGRAM = 2;
const TLV_CRC32C = 3;
const TLV_HEAD = 3;

/** Parses the header at the start of `bytes`, which may be cut anywhere, and may go on with what follows it. */
export function parseHeader(bytes: Uint8Array): Parsed {
  if (begins(bytes, V2_SIGNATURE)) return parseV2(bytes);
  if (begins(bytes, V1_SIGNATURE)) return parseV1(bytes);
  return bad("it begins like neither version");
}

/** The header that tells of a TCP connection from `source` to `destination`; version 2 with its checksum. */
export function encodeHeader(version: "v1" | "v2", source: Endpoint, destination: Endpoint): Uint8Array {
  const from = addressBytes(source);
  const to = addressBytes(destination);
  const six = from.length === 16;
  if (version === "v1") {
    const ports = `${source.port} ${destination.port}`;
    return new TextEncoder().encode(`PROXY TCP${six ? 6 : 4} ${showIp(from)} ${showIp(to)} ${ports}\r\n`);
  }
  const length = V2_ADDRESSES[six ? AF_INET6 : AF_INET]! + TLV_HEAD + 4;
  const header = new Uint8Array(V2_FIXED + length);
  const view = new DataView(header.buffer);
  header.set(V2_SIGNATURE);
  header[12] = 2 << 4 | PROXY;
  header[13] = (six ? AF_INET6 : AF_INET) << 4 | STREAM;
  view.setUint16(14, length);
  header.set([...from, ...to], V2_FIXED);
  const ports = V2_FIXED + 2 * from.length;
  view.setUint16(ports, source.port);
  view.setUint16(ports + 2, destination.port);
  header.set([TLV_CRC32C, 0, 4], ports + 4);
  view.setUint32(header.length - 4, crc32c(header));
  return header;
}

function parseV1(bytes: Uint8Array): Parsed {
  const line = String.fromCharCode(...bytes.subarray(0, V1_LIMIT));
  const end = line.indexOf("\r\n");
  if (end === -1) {
    if (!canBecomeV1(line)) return bad(NO_V1);
    const more = Math.max(SHORTEST - line.length, line.endsWith("\r") ? 1 : 2);
    return line.length + more > V1_LIMIT ? bad(`no CRLF in its first ${V1_LIMIT} bytes`) : partial(more);
  }
  const length = end + 2;
  const text = line.slice(0, end);
  if (/^PROXY UNKNOWN(?: |$)/.test(text)) return { state: "whole", length, source: undefined };
  const [, family, from = "", to = "", ...ports] = /^PROXY TCP([46]) (\S+) (\S+) (\S+) (\S+)$/.exec(text) ??
    [];
  if (family === undefined) return bad(NO_V1);
  const [source, destination] = [from, to].map(ipBytes);
  const size = family === "4" ? 4 : 16;
  if (source?.length !== size || destination?.length !== size) {
    return bad(`an address in its line is not IPv${family}`);
  }
  if (!ports.every((port) => /^(?:0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 0xffff)) {
    return bad("a port in its line is not a number from 0 to 65535 in decimal digits");
  }
  return { state: "whole", length, source: { hostname: showIp(source), port: Number(ports[0]) } };
}

/** Whether a line without its CRLF can still become a header; if not, the sender is told as soon as possible. */
function canBecomeV1(line: string): boolean {
  const tcp = /^PROXY TCP[46] (.*)$/s.exec(line);
  // inet_ntop(3), and with it HAProxy, writes some IPv6 addresses with an IPv4 one at their end: hence the dot.
  if (tcp !== null) return /^[\dA-Fa-f:. ]*\r?$/.test(tcp[1] ?? "");
  if (/^PROXY UNKNOWN(?: .*|\r)$/s.test(line)) return true;
  return ["TCP4 ", "TCP6 ", "UNKNOWN"].some((kind) => `PROXY ${kind}`.startsWith(line));
}

/**
 * The block of a LOCAL header, and of one whose family or protocol is unspecified, is skipped unseen, as the
 * specification asks; that of a Unix socket is checked and then not used, which is its "UNSPEC mode".
 */
function parseV2(bytes: Uint8Array): Parsed {
  if (bytes.length < V2_FIXED) return partial(Math.max(SHORTEST - bytes.length, 1));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [version, command] = halves(view.getUint8(12));
  const [family, protocol] = halves(view.getUint8(13));
  const length = V2_FIXED + view.getUint16(14);
  if (version !== 2) return bad("it has the signature of version 2, and another version");
  if (command !== LOCAL && command !== PROXY) return bad("its command is neither LOCAL nor PROXY");
  const addresses = V2_ADDRESSES[family];
  if (command === PROXY) {
    if (addresses === undefined || protocol > DGRAM) return bad("its address family or protocol is unknown");
    if (protocol !== 0 && length < V2_FIXED + addresses) return bad("it is too short for its addresses");
  }
  if (bytes.length < length) return partial(length - bytes.length);
  if (command === LOCAL || addresses === undefined || family === 0 || protocol === 0) {
    return { state: "whole", length, source: undefined };
  }
  const fault = checkTlvs(bytes.subarray(0, length), V2_FIXED + addresses);
  if (fault !== undefined) return bad(fault);
  if (family === AF_UNIX) return { state: "whole", length, source: undefined };
  const size = family === AF_INET ? 4 : 16;
  const hostname = showIp(bytes.subarray(V2_FIXED, V2_FIXED + size));
  return { state: "whole", length, source: { hostname, port: view.getUint16(V2_FIXED + 2 * size) } };
}

/** What is wrong with the type-length-value vectors from `at` to the end of the header; undefined: nothing. */
function checkTlvs(header: Uint8Array, at: number): string | undefined {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  while (at < header.length) {
    if (at + TLV_HEAD > header.length) return "a TLV is cut short by its end";
    const type = view.getUint8(at);
    const value = at + TLV_HEAD;
    at = value + view.getUint16(at + 1);
    if (at > header.length) return "a TLV goes beyond its end";
    if (type !== TLV_CRC32C) continue;
    if (at - value !== 4) return "its checksum is not of 4 bytes";
    const zeroed = header.slice();
    zeroed.fill(0, value, at);
    if (crc32c(zeroed) !== view.getUint32(value)) return "its checksum is wrong";
  }
  return undefined;
}

/** CRC32c (RFC 4960, appendix B). Bit by bit: it is for one header a connection, of a few dozen bytes. */
export function crc32c(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

/** As bytes, an IPv4-mapped address as the IPv4 one that it is. */
function addressBytes({ hostname }: Endpoint): Uint8Array {
  const bytes = ipBytes(hostname);
  const plain = bytes && ipBytes(showIp(bytes));
  if (plain === undefined) throw new Failure(`a PROXY header cannot tell of the address ${hostname}`);
  return plain;
}

function begins(bytes: Uint8Array, signature: Uint8Array): boolean {
  return signature.every((byte, i) => i >= bytes.length || byte === bytes[i]);
}

function halves(byte: number): [high: number, low: number] {
  return [byte >> 4, byte & 15];
}

function partial(more: number): Parsed {
  return { state: "partial", more };
}

function bad(reason: string): Parsed {
  return { state: "bad", reason };
}
