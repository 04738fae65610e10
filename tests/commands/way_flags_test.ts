/** Which way to the other end: what the flags must not ask for. */

import { assertEquals, assertThrows } from "@std/assert";
import { parseAddress } from "../../base/address.ts";
import { UsageError } from "../../base/units.ts";
import { parse } from "../../cli/flags.ts";
import { engineOf, packetFlags, wayFlags, wayOf } from "../../commands/way_flags.ts";

function parsed(words: string) {
  const command = {
    name: "x",
    usage: "",
    summary: "",
    flags: { ...wayFlags, ...packetFlags },
    notes: [],
    examples: [],
  };
  return parse(command, words.split(" ").filter((word) => word !== "")).options;
}

function way(words: string, address: string) {
  return wayOf(parsed(words), parseAddress(address));
}

Deno.test("a source says which family of a name is meant", () => {
  const nothing = { family: undefined, source: undefined, device: undefined, ttl: undefined, tos: undefined };
  assertEquals(way("--source ::1", "host:1"), { ...nothing, family: 6, source: "::1" });
  assertEquals(way("-4", "host:1"), { ...nothing, family: 4 });
  assertEquals(way("", "unix:/x"), nothing);
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
    ["--interface lo", "unix:/x", "--interface is for IP addresses, and there are none on unix:/x"],
    ["--ttl 3", "unix:/x", "--ttl is for IP addresses, and there are none on unix:/x"],
    ["--ttl 0", "host:1", "--ttl: 0 routers is no way to anywhere; try 1 for this network alone"],
    ["--tos 256", "host:1", '--tos: "256" is not a number from 0 to 255, or 0x00 to 0xff'],
    ["--source ::1", "unix:/x", "--source is for IP addresses, and there are none on unix:/x"],
  ];
  for (const [words, address, why] of rows) assertThrows(() => way(words, address), UsageError, why);
});

Deno.test("what only libc can do is refused where the engine is Deno's", () => {
  const rows: [words: string, address: string, why: string][] = [
    ["--engine deno --ttl 3", "host:1", "--ttl takes the engine epoll: the engine deno does not have it"],
    [
      "--engine deno --interface lo",
      "host:1",
      "--interface takes the engine epoll: the engine deno does not have it",
    ],
    ["--tos 0x10", "tls://host:1", "--tos takes the engine epoll: TLS is Deno's own"],
    ["--engine epoll", "tls://host:1", "--engine epoll: TLS is Deno's own"],
  ];
  for (const [words, address, why] of rows) {
    assertThrows(() => engineOf(parsed(words), parseAddress(address)), UsageError, why);
  }
  assertEquals(engineOf(parsed("--engine deno"), parseAddress("host:1")), "deno");
  assertEquals(engineOf(parsed(""), parseAddress("tls://host:1")), "deno");
});
