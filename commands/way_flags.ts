/** The flags of the way to the other end, and what must hold between them and the address. */

import { type Address, isEncrypted, isLocal, showAddress } from "../base/address.ts";
import { UsageError } from "../base/units.ts";
import type { Flags, Options } from "../cli/flags.ts";
import { KINDS } from "../cli/kinds.ts";
import { familyOf, isIp } from "../net/names.ts";
import type { Family, Way } from "../net/stream.ts";
import { type Engine, epollObstacle } from "../net/engine.ts";
import { HAS_NODE_TLS } from "../net/tls/tls.ts";

/** For every command that makes connections. */
export const wayFlags = {
  ipv4: { kind: "switch", short: "4", help: "of a name, take its IPv4 addresses alone" },
  ipv6: { kind: "switch", short: "6", help: "of a name, take its IPv6 addresses alone" },
  source: { kind: "ip", help: "come from this address of this machine" },
  interface: { kind: "device", help: "go out by this interface; engine epoll" },
  engine: {
    kind: "choice",
    value: "E",
    of: ["auto", "deno", "epoll"],
    initial: "auto",
    help: "what moves the bytes; auto: epoll on Linux where it can, else deno",
  },
} as const satisfies Flags;

function hops(text: string): number {
  const n = KINDS.byte.parse(text);
  if (n === 0) throw new UsageError("0 routers is no way to anywhere; try 1 for this network alone");
  return n;
}

/** Of a command that looks at the packets. */
export const packetFlags = {
  ttl: { kind: "byte", parse: hops, help: "how many routers a packet may pass; engine epoll" },
  tos: { kind: "byte", help: "type of service (DSCP and ECN) of the packets; engine epoll" },
} as const satisfies Flags;

type WayOptions = Options<typeof wayFlags> & Partial<Options<typeof packetFlags>>;

/** What moves the bytes to this address. Throws UsageError where that cannot be what is asked for. */
export function engineOf(options: WayOptions, address: Address): Engine {
  const { engine, interface: device, ttl, tos } = options;
  const why = engine === "deno" ? "the engine deno does not have it" : obstacle(address);
  if (why === undefined) return "epoll";
  if (engine === "epoll") throw new UsageError(`--engine epoll: ${why}`);
  const given = Object.entries({ interface: device, ttl, tos }).find(([, value]) => value !== undefined);
  if (given === undefined) return "deno";
  throw new UsageError(`--${given[0]} takes the engine epoll: ${why}`);
}

/** Why the engine epoll cannot be used, if so. */
function obstacle(address: Address): string | undefined {
  if (isEncrypted(address)) return "TLS is Deno's own";
  return epollObstacle();
}

/** Which way to go to this address. Throws UsageError where that cannot be. */
export function wayOf(options: WayOptions, address: Address): Way {
  const { ipv4, ipv6, source, interface: device, ttl, tos } = options;
  const packets = { device, ttl, tos };
  if (ipv4 && ipv6) throw new UsageError("-4 and -6 exclude each other; without them both are tried");
  const family = ipv4 ? 4 : ipv6 ? 6 : undefined;
  if (isLocal(address)) {
    const flags = { source, ...packets };
    const named = Object.keys(flags).find((name) => flags[name as keyof typeof flags] !== undefined);
    const given = family !== undefined
      ? `-${family}`
      : named && `--${named === "device" ? "interface" : named}`;
    if (given === undefined) return { family, source, ...packets };
    throw new UsageError(`${given} is for IP addresses, and there are none on ${showAddress(address)}`);
  }
  if (family !== undefined && address.host !== undefined) checkFamily(`-${family}`, family, address.host);
  if (source === undefined) return { family, source, ...packets };
  const its = familyOf(source);
  if (family !== undefined) checkFamily(`-${family}`, family, source);
  if (address.host !== undefined) checkFamily(`--source ${source}`, its, address.host);
  if (isEncrypted(address) && !HAS_NODE_TLS) {
    throw new UsageError(
      `--source with tls takes Deno 2.9; this is ${Deno.version.deno}, whose TLS cannot choose it`,
    );
  }
  return { family: its, source, ...packets };
}

/** Throws UsageError where `host` is an IP address of the other family. */
function checkFamily(flag: string, family: Family, host: string): void {
  if (isIp(host) && familyOf(host) !== family) {
    throw new UsageError(`${flag} is IPv${family}, and ${host} is an address of IPv${familyOf(host)}`);
  }
}
