/** IP addresses as text and as bytes, and networks of them in CIDR notation (RFC 4632, RFC 4291 section 2.3). */

import { BlockList, isIPv4, isIPv6 } from "node:net";
import { UsageError } from "./units.ts";

/** The first `prefix` bits of `host`. Plain data, so that it can be handed to another thread. */
export interface Network {
  readonly host: string;
  readonly prefix: number;
}

/** The 4 or 16 bytes of an address, in network order; undefined where the text is none, or names a zone. */
export function ipBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) return undefined;
  // The URL parser writes every IPv6 address the same way: hexadecimal, with at most one "::".
  const [head = "", tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(8 - left.length - right.length).fill("0");
  const groups = [...left, ...zeros, ...right].map((group) => parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The address of 4 or 16 bytes in its shortest form (RFC 5952); an IPv4-mapped one as the IPv4 address. */
export function showIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.every((byte, i) => i >= 12 || byte === (i < 10 ? 0 : 0xff))) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8 | bytes[2 * i + 1]!).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** `10.0.0.0/8,fd00::/8,192.0.2.7`: one or more; an address alone is a network of one. Throws UsageError. */
export function networks(text: string): readonly Network[] {
  return text.split(",").map(network);
}

/**
 * Tells whether an address is in one of the networks. `10.0.0.7` and `::ffff:10.0.0.7` are the same address, whichever
 * way it or the network is written; what is no address is in none.
 */
export function matcher(list: readonly Network[]): (host: string) => boolean {
  const blocks = new BlockList();
  for (const { host, prefix } of list) blocks.addSubnet(host, prefix, family(host));
  return (host) => blocks.check(host, family(host));
}

/** Strict, since a slip of the pen (10.0.0.7/8) would trust millions: no bits beyond the prefix, no octal. */
function network(text: string): Network {
  const [host = "", digits, ...more] = text.split("/");
  const bytes = ipBytes(host);
  if (bytes === undefined || more.length > 0) {
    throw new UsageError(`${JSON.stringify(text)} is not a network; try 10.0.0.0/8, fd00::/8 or 192.0.2.7`);
  }
  const longest = 8 * bytes.length;
  if (digits === undefined) return { host, prefix: longest };
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || Number(digits) > longest) {
    throw new UsageError(`${JSON.stringify(text)}: the prefix is a number from 0 to ${longest}`);
  }
  const prefix = Number(digits);
  const start = bytes.map((byte, i) => byte & 0xff00 >> Math.min(Math.max(prefix - 8 * i, 0), 8));
  if (start.some((byte, i) => byte !== bytes[i])) {
    throw new UsageError(
      `${JSON.stringify(text)} has bits beyond its prefix; try ${showIp(start)}/${prefix}, or ${host} alone`,
    );
  }
  return { host, prefix };
}

function family(host: string): "ipv4" | "ipv6" {
  return host.includes(":") ? "ipv6" : "ipv4";
}
