import { assertEquals, assertThrows } from "@std/assert";
import { type Address, namesPort, parseAddress, showAddress, showPeer } from "../../base/address.ts";
import { UsageError } from "../../base/units.ts";

Deno.test("every form of an address is read", () => {
  const table: [string, Omit<Address, "scheme">][] = [
    ["8890", { port: 8890 }],
    ["0", { port: 0 }],
    ["65535", { port: 65535 }],
    [":80", { port: 80 }],
    ["localhost", { host: "localhost", port: 8890 }],
    ["localhost:7", { host: "localhost", port: 7 }],
    ["example.com.:7", { host: "example.com.", port: 7 }],
    ["a_b-c.d9:7", { host: "a_b-c.d9", port: 7 }],
    ["3com.example", { host: "3com.example", port: 8890 }],
    ["10.0.0.7", { host: "10.0.0.7", port: 8890 }],
    ["10.0.0.7:0", { host: "10.0.0.7", port: 0 }],
    ["::1", { host: "::1", port: 8890 }],
    ["::", { host: "::", port: 8890 }],
    ["[::1]", { host: "::1", port: 8890 }],
    ["[::1]:7", { host: "::1", port: 7 }],
    ["[fe80::1%eth0]:7", { host: "fe80::1%eth0", port: 7 }],
    ["[::ffff:10.0.0.7]:7", { host: "::ffff:10.0.0.7", port: 7 }],
    ["tcp://10.0.0.7:7", { host: "10.0.0.7", port: 7 }],
    ["tcp://:7", { port: 7 }],
    ["tcp://7", { port: 7 }],
    ["tcp://[::1]:7", { host: "::1", port: 7 }],
    ["TCP://localhost:7", { host: "localhost", port: 7 }],
    ["tcp://localhost:7/", { host: "localhost", port: 7 }],
    ["tcp://localhost/", { host: "localhost", port: 8890 }],
  ];
  for (const [text, expected] of table) {
    assertEquals(parseAddress(text), { scheme: "tcp", ...expected }, text);
  }
});

/** Refused with a reason that has `why` in it, on one line. */
function refused(text: string, why: string): void {
  const { message } = assertThrows(() => parseAddress(text), UsageError, why);
  assertEquals(message.startsWith(`bad address ${JSON.stringify(text)}: `), true, message);
  assertEquals(message.split("\n").length, 1, message);
}

Deno.test("a port is 0 to 65535 in decimal digits and nothing else", () => {
  for (
    const port of [
      "",
      " ",
      "8e3",
      "0x1F90",
      "-1",
      "+80",
      "65536",
      "99999",
      "100000",
      "1.5",
      "80 ",
      " 80",
      "8_0",
      "٨٠",
    ]
  ) {
    refused(`:${port}`, "is not a number from 0 to 65535 in decimal digits");
    refused(`localhost:${port}`, "is not a number from 0 to 65535 in decimal digits");
    refused(`[::1]:${port}`, "is not a number from 0 to 65535 in decimal digits");
  }
});

Deno.test("a bare number that is no port is not taken for a host", () => {
  for (const text of ["8e3", "0x1F90", "-1", "+80", "65536", "008890", "999999999999"]) {
    refused(text, "is not a number from 0 to 65535 in decimal digits");
  }
});

Deno.test("a host is a name or an address, not what a resolver would guess", () => {
  const bad = [
    "0:7",
    "127.1",
    "127.1:7",
    "1.2.3",
    "0x7f.1",
    "0x7f000001:7",
    "256.0.0.1",
    "1.2.3.4.5",
    "01.2.3.4",
  ];
  const names = ["a..b", ".a", "-a", "a-", "a b", " ", "*", "a/b", "ü.de"];
  for (const text of [...bad, ...names, "a\nb", `${"a".repeat(64)}.de`, "a.".repeat(127) + "com"]) {
    refused(text, "is neither an IP address nor a host name");
  }
});

Deno.test("an address that is empty, or IPv6 without its brackets, is refused", () => {
  refused("", "it is empty");
  refused("tcp://", "it is empty");
  for (const text of ["[]", "[]:7", "[1.2.3.4]:7", "[localhost]:7", "[:::]", "[1::2::3]", "[::1%]"]) {
    refused(text, "is not an IPv6 address");
  }
  for (const text of ["a:b:c", "[::1]8890", "[::1", "1:2:3", "::1:x", "localhost:80:90"]) {
    refused(text, "an IPv6 address with a port is written [::1]:8890");
  }
});

Deno.test("each scheme has its form, and an unknown one is refused", () => {
  assertEquals(parseAddress("udp://localhost:7"), { scheme: "udp", host: "localhost", port: 7 });
  assertEquals(parseAddress("tls://[::1]"), { scheme: "tls", host: "::1", port: 8890 });
  assertEquals(parseAddress("unix:/tmp/socket"), { scheme: "unix", path: "/tmp/socket" });
  assertEquals(parseAddress("unix:///tmp/socket"), { scheme: "unix", path: "/tmp/socket" });
  assertEquals(parseAddress("unix:socket"), { scheme: "unix", path: "socket" });
  refused("unix:", "a Unix socket is written unix:/path");
  refused(`unix:/${"x".repeat(107)}`, "its path has 108 bytes; a Unix socket takes 107");
  assertEquals(parseAddress("UNIX:/tmp/socket"), { scheme: "unix", path: "/tmp/socket" });
  for (const scheme of ["http", "tcp4", "x"]) {
    refused(`${scheme}://localhost:7`, `unknown scheme "${scheme}"`);
  }
});

Deno.test("what a person types from the habit of another program is answered with what would be right", () => {
  for (const text of ["127.1", "127.1:7", "1.2.3", "256.0.0.1", "01.2.3.4", "0:7"]) {
    refused(text, "an IPv4 address has four numbers from 0 to 255, such as 127.0.0.1");
  }
  refused("*:7", "every interface is written :7");
  refused("/tmp/socket", "a Unix socket is written unix:/tmp/socket");
  refused("./socket", "a Unix socket is written unix:./socket");
  refused("tcp://localhost:7/echo", 'what follows the port, "/echo", is no part of an address');
  refused("tcp:127.0.0.1:7", "a scheme is written with slashes: tcp://127.0.0.1:7");
  refused("UDP:127.0.0.1:7", "a scheme is written with slashes: udp://127.0.0.1:7");
  refused("localhost:7/", 'port "7/" is not a number');
});

Deno.test("whether an address names its port is known where the port is the usual one too", () => {
  const rows: [text: string, named: boolean][] = [["localhost", false], ["localhost:8890", true], [
    "[::1]",
    false,
  ]];
  for (const [text, named] of [...rows, ["8890", true] as const, ["10.0.0.7:7", true] as const]) {
    const address = parseAddress(text);
    assertEquals(address.scheme !== "unix" && namesPort(text, address), named, text);
  }
});

Deno.test("an address is printed as it can be typed again", () => {
  for (
    const text of [
      "tcp://10.0.0.7:7",
      "tcp://[::1]:0",
      "tcp://:8890",
      "tcp://localhost:7",
      "tcp://[fe80::1%lo]:7",
    ]
  ) {
    assertEquals(showAddress(parseAddress(text)), text);
  }
});

Deno.test("an IPv4 client of a dual-stack listener shows as what it is", () => {
  assertEquals(showPeer("::ffff:10.0.0.7", 1234), "10.0.0.7:1234");
  assertEquals(showPeer("::ffff:a00:7", 1234), "[::ffff:a00:7]:1234");
  assertEquals(showPeer("10.0.0.7", 1), "10.0.0.7:1");
  assertEquals(showPeer("::1", 1), "[::1]:1");
});
