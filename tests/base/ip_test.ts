import { assert, assertEquals, assertThrows } from "@std/assert";
import { ipBytes, matcher, networks, showIp } from "../../base/ip.ts";
import { UsageError } from "../../base/units.ts";
import { noise } from "../support/helpers.ts";

Deno.test("addresses become bytes and text again, in one form for each", () => {
  const table: [string, string][] = [
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::", "::"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["0001:0002:0003:0004:0005:0006:0007:0008", "1:2:3:4:5:6:7:8"],
    ["2001:DB8::A:0:0:B", "2001:db8::a:0:0:b"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["fe80::", "fe80::"],
    ["::ffff:10.0.0.7", "10.0.0.7"],
    ["::FFFF:a00:7", "10.0.0.7"],
    ["::10.0.0.7", "::a00:7"],
  ];
  for (const [text, shown] of table) assertEquals(showIp(ipBytes(text)!), shown, text);
  for (let seed = 1; seed <= 2000; seed++) {
    const bytes = noise(seed % 2 ? 4 : 16, seed).map((byte) => byte < 100 ? 0 : byte);
    assertEquals(ipBytes(showIp(bytes)), bytes);
  }
});

Deno.test("what is no address, or an address in an old or a local notation, has no bytes", () => {
  const old = [
    "1.2.3",
    "01.2.3.4",
    "1.2.3.256",
    "0x1.2.3.4",
    "1.2.3.4.",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4\n",
  ];
  const six = [
    "1:2",
    "1::2::3",
    "12345::",
    ":1",
    "1:2:3:4:5:6:7:8:9",
    "::01.2.3.4",
    "[::1]",
    "g::",
    "fe80::1%eth0",
  ];
  for (const text of ["", "localhost", "٣.1.1.1", ...old, ...six]) {
    assertEquals(ipBytes(text), undefined, text);
  }
});

Deno.test("a list of networks has what it names, and nothing else", () => {
  const table: [string, string[], string[]][] = [
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], [
      "9.255.255.255",
      "11.0.0.0",
      "::a00:1",
    ]],
    ["192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8"]],
    ["192.0.2.6/31", ["192.0.2.6", "192.0.2.7"], ["192.0.2.5", "192.0.2.8"]],
    ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1"]],
    ["::/0", ["::1", "ffff::"], []],
    ["fd00::/8", ["fd00::", "fdff:ffff::1"], ["fc00::", "fe00::", "1.2.3.4"]],
    ["2001:db8::/33", ["2001:db8:7fff::1"], ["2001:db8:8000::1"]],
    ["::1", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "0.0.0.1"]],
    ["::ffff:10.0.0.0/104", ["10.9.9.9", "::ffff:10.9.9.9"], ["11.0.0.0"]],
    ["10.0.0.0/8,::1,127.0.0.1/32", ["10.1.1.1", "::1", "127.0.0.1"], ["127.0.0.2", "::"]],
  ];
  for (const [text, inside, outside] of table) {
    const has = matcher(networks(text));
    for (const host of inside) assert(has(host), `${host} is in ${text}`);
    for (const host of [...outside, "", "unix", "unix:/run/echo.sock", "fe80::1%eth0"]) {
      assert(!has(host), `${host} is not in ${text}`);
    }
  }
});

Deno.test("networks are read strictly: a slip of the pen must not trust millions", () => {
  const table: [string, string][] = [
    ["", "is not a network; try 10.0.0.0/8"],
    [" ", "is not a network"],
    ["10.0.0.1,", "is not a network"],
    ["10.0.0.1, 10.0.0.2", "is not a network"],
    ["10.0.0/8", "is not a network"],
    ["localhost", "is not a network"],
    ["010.0.0.0/8", "is not a network"],
    ["10.0.0.0/255.0.0.0", "the prefix is a number from 0 to 32"],
    ["10.0.0.0/33", "the prefix is a number from 0 to 32"],
    ["10.0.0.0/", "the prefix is a number"],
    ["10.0.0.0/08", "the prefix is a number"],
    ["10.0.0.0/-1", "the prefix is a number"],
    ["10.0.0.0/8/8", "is not a network"],
    ["::/129", "the prefix is a number from 0 to 128"],
    ["[::1]", "is not a network"],
    ["fe80::1%eth0", "is not a network"],
    ["10.0.0.7/8", "has bits beyond its prefix; try 10.0.0.0/8, or 10.0.0.7 alone"],
    ["10.0.0.7/31", "try 10.0.0.6/31"],
    ["0.0.0.1/0", "try 0.0.0.0/0"],
    ["2001:db8::1/64", "try 2001:db8::/64"],
  ];
  for (const [text, why] of table) assertThrows(() => networks(text), UsageError, why, text);
});
