/** The flags of the way to the other end, and what must hold between them and the address. */

import { type Address, isEncrypted, isLocal, showAddress } from "../base/address.ts";
import { UsageError } from "../base/units.ts";
import type { Flags, Options } from "../cli/flags.ts";
import { familyOf, isIp } from "../net/names.ts";
import type { Family, Way } from "../net/stream.ts";
import { HAS_NODE_TLS } from "../net/tls/tls.ts";

/** For every command that makes connections. */
export const wayFlags = {
  ipv4: { kind: "switch", short: "4", help: "of a name, take its IPv4 addresses alone" },
  ipv6: { kind: "switch", short: "6", help: "of a name, take its IPv6 addresses alone" },
  source: { kind: "ip", help: "come from this address of this machine" },
} as const satisfies Flags;

/** Which way to go to this address. Throws UsageError where that cannot be. */
export function wayOf({ ipv4, ipv6, source }: Options<typeof wayFlags>, address: Address): Way {
  if (ipv4 && ipv6) throw new UsageError("-4 and -6 exclude each other; without them both are tried");
  const family = ipv4 ? 4 : ipv6 ? 6 : undefined;
  if (isLocal(address)) {
    const given = family !== undefined ? `-${family}` : source !== undefined ? "--source" : undefined;
    if (given === undefined) return { family, source };
    throw new UsageError(`${given} is for IP addresses, and there are none on ${showAddress(address)}`);
  }
  if (family !== undefined && address.host !== undefined) checkFamily(`-${family}`, family, address.host);
  if (source === undefined) return { family, source };
  const its = familyOf(source);
  if (family !== undefined) checkFamily(`-${family}`, family, source);
  if (address.host !== undefined) checkFamily(`--source ${source}`, its, address.host);
  if (isEncrypted(address) && !HAS_NODE_TLS) {
    throw new UsageError(
      `--source with tls takes Deno 2.9; this is ${Deno.version.deno}, whose TLS cannot choose it`,
    );
  }
  return { family: its, source };
}

/** Throws UsageError where `host` is an IP address of the other family. */
function checkFamily(flag: string, family: Family, host: string): void {
  if (isIp(host) && familyOf(host) !== family) {
    throw new UsageError(`${flag} is IPv${family}, and ${host} is an address of IPv${familyOf(host)}`);
  }
}
