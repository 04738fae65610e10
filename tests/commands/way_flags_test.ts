/** Which way to the other end: what the flags must not ask for. */

import { assertEquals, assertThrows } from "@std/assert";
import { parseAddress } from "../../base/address.ts";
import { UsageError } from "../../base/units.ts";
import { parse } from "../../cli/flags.ts";
import { wayFlags, wayOf } from "../../commands/way_flags.ts";

function way(words: string, address: string) {
  const command = { name: "x", usage: "", summary: "", flags: wayFlags, notes: [], examples: [] };
  const { options } = parse(command, words.split(" ").filter((word) => word !== ""));
  return wayOf(options, parseAddress(address));
}

Deno.test("a source says which family of a name is meant", () => {
  assertEquals(way("--source ::1", "host:1"), { family: 6, source: "::1" });
  assertEquals(way("-4", "host:1"), { family: 4, source: undefined });
  assertEquals(way("", "unix:/x"), { family: undefined, source: undefined });
});

Deno.test("flags of the way that cannot be obeyed are refused before anything is opened", () => {
  const rows: [words: string, address: string, why: string][] = [
    ["-4 -6", "host:1", "-4 and -6 exclude each other; without them both are tried"],
    ["-46", "host:1", "-4 and -6 exclude each other; without them both are tried"],
    ["-6", "127.0.0.1:1", "-6 is IPv6, and 127.0.0.1 is an address of IPv4"],
    ["-4", "[::1]:1", "-4 is IPv4, and ::1 is an address of IPv6"],
    ["-4 --source ::1", "host:1", "-4 is IPv4, and ::1 is an address of IPv6"],
    ["--source ::1", "127.0.0.1:1", "--source ::1 is IPv6, and 127.0.0.1 is an address of IPv4"],
    ["--source host", "host:1", '--source: "host" is not an IP address; try 192.0.2.7 or 2001:db8::7'],
    ["-6", "unix:/x", "-6 is for IP addresses, and there are none on unix:/x"],
    ["--source ::1", "unix:/x", "--source is for IP addresses, and there are none on unix:/x"],
  ];
  for (const [words, address, why] of rows) assertThrows(() => way(words, address), UsageError, why);
});
