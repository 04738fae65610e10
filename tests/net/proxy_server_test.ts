/** The PROXY protocol on the real command: bad senders, the client's own header, and a real HAProxy on both sides. */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { parseHeader } from "../../net/proxy/header.ts";
import { haproxy } from "../support/haproxy.ts";
import {
  has,
  noise,
  peer,
  readUpTo,
  roundTrip,
  run,
  ServerProcess,
  sha256,
  within,
  writeAll,
} from "../support/helpers.ts";

const encoder = new TextEncoder();

function start(trust: string, ...words: string[]): Promise<ServerProcess> {
  return ServerProcess.start(["127.0.0.1:0", "--proxy-protocol", "--trust", trust, ...words]);
}

/** All that comes back until the other end closes, or resets, the connection. */
async function rest(conn: Deno.Conn): Promise<Uint8Array> {
  const pieces: number[] = [];
  const buffer = new Uint8Array(4096);
  try {
    for (let n; (n = await within(10_000, "the end of the connection", conn.read(buffer))) !== null;) {
      pieces.push(...buffer.subarray(0, n));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return Uint8Array.from(pieces);
}

const local = (conn: Deno.TcpConn) => `${conn.localAddr.hostname}:${conn.localAddr.port}`;

Deno.test("the address in the header is the client's in the log, also when the header comes byte by byte", async () => {
  await using server = await start("127.0.0.0/8");
  const v2 = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10];
  const table: [Uint8Array, string | undefined][] = [
    [encoder.encode("PROXY TCP4 192.0.2.7 192.0.2.8 56324 443\r\n"), "192.0.2.7:56324"],
    [encoder.encode("PROXY TCP6 2001:db8::7 ::1 1 2\r\n"), "[2001:db8::7]:1"],
    [encoder.encode("PROXY UNKNOWN\r\n"), undefined],
    [
      Uint8Array.from([...v2, 0x21, 0x11, 0, 12, 198, 51, 100, 9, 1, 1, 1, 1, 0, 80, 0, 81]),
      "198.51.100.9:80",
    ],
    [Uint8Array.from([...v2, 0x20, 0, 0, 0]), undefined],
  ];
  let clients = 0;
  for (const [header, shown] of table) {
    for (const slowly of [false, true]) {
      using conn = await server.connect();
      conn.setNoDelay(true);
      for (const piece of slowly ? Array.from(header, (byte) => Uint8Array.of(byte)) : [header]) {
        await writeAll(conn, piece);
        if (slowly) await new Promise((resolve) => setTimeout(resolve, 1)); // else the kernel joins the bytes
      }
      assertEquals(await roundTrip(conn, "hello"), "hello");
      clients++;
      await server.log.with(`"connected","client":${clients},`);
      assertEquals(server.log.events("connected")[clients - 1]!["peer"], shown ?? local(conn));
    }
  }
  assertEquals(await server.stop(), 0);
  assertEquals(server.log.events("disconnected").map((event) => event["bytes"]), Array(clients).fill(5));
});

Deno.test("of the trade: a malformed header closes the connection, unechoed, logged and counted", async () => {
  await using server = await start("127.0.0.1");
  const bad: [string, string][] = [
    ["GET / HTTP/1.1\r\n\r\n", "it begins like neither version"],
    ["PROXY TCP4 ::1 ::1 1 2\r\nhello", "an address in its line is not IPv4"],
    ["PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\nhello", "an address in its line is not IPv4"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\nhello", "a port in its line"],
    ["PROXY TCP4 1.2.3.4 1.2.3.4 1 02\r\nhello", "a port in its line"],
    [`PROXY UNKNOWN ${"x".repeat(93)}`, "no CRLF in its first 107 bytes"],
    ["\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\x01\x02\x03\x04hello", "it is too short for its addresses"],
    [`\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f${"\x01".repeat(12)}\x04\0\x01hello`, "a TLV goes beyond its end"],
    ["\r\n\r\n\0\r\nQUIT\n\x22\0\0\0hello", "its command is neither LOCAL nor PROXY"],
  ];
  for (const [bytes, why] of bad) {
    using conn = await server.connect();
    await writeAll(conn, Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
    assertEquals((await rest(conn)).length, 0, bytes);
    const line = await server.log.with(`"peer":"${local(conn)}"`);
    assert(line.includes('"rejected"') && line.includes(`bad PROXY header: ${why}`), line);
  }
  {
    using conn = await server.connect();
    await writeAll(conn, encoder.encode("PROXY TCP4 1.2.3.4 "));
    await conn.closeWrite();
    assertEquals((await rest(conn)).length, 0);
    await server.log.with("closed after 19 bytes, before the end of a PROXY header");
  }
  assertEquals(await server.stop(), 0);
  assertEquals(server.log.events("stopped")[0]!["failed"], bad.length + 1);
  assertEquals(server.log.events("stopped")[0]!["bytes"], 0);
  assertEquals(server.log.events("connected"), []);
});

Deno.test("of the trade: a header that is late closes the connection after 3 s, and holds up nobody", async () => {
  // Shorter limits than the header's own: neither is about a client that has not arrived yet.
  await using server = await start("127.0.0.1", "--idle-timeout", "1s", "--write-timeout", "1s");
  const begin = performance.now();
  using silent = await server.connect();
  using slow = await server.connect();
  await writeAll(slow, encoder.encode("PROXY TCP4 1.2.3.4 "));
  using good = await server.connect();
  await writeAll(good, encoder.encode("PROXY TCP4 192.0.2.7 1.2.3.4 1 2\r\n"));
  assertEquals(await roundTrip(good, "hello"), "hello");
  assertLess(performance.now() - begin, 1000);
  for (const conn of [silent, slow]) {
    assertEquals((await rest(conn)).length, 0);
    const took = performance.now() - begin;
    assert(took > 2900 && took < 4000, `closed after ${took} ms`);
  }
  await server.log.with(/"rejected".*no PROXY header within 3 s/);
  assertEquals(await server.stop(), 0);
  assertEquals(server.log.events("rejected").length, 2);
});

Deno.test("a client may take its time with the header and is not idle for that", async () => {
  await using server = await start("127.0.0.1", "--idle-timeout", "500ms");
  using conn = await server.connect();
  await writeAll(conn, encoder.encode("PROXY UNKNOWN"));
  await new Promise((resolve) => setTimeout(resolve, 800)); // longer than the idle timeout: the point of the test
  await writeAll(conn, encoder.encode("\r\n"));
  await server.log.with('"connected"');
  await new Promise((resolve) => setTimeout(resolve, 200)); // for the server to look at who is idle
  assertEquals(await roundTrip(conn, "hello"), "hello");
});

Deno.test("of the trade: a source that is not trusted is closed, and never echoed", async () => {
  await using server = await start("192.0.2.0/24,::1");
  for (const header of ["PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n", "PROXY UNKNOWN\r\n", ""]) {
    using conn = await server.connect();
    await writeAll(conn, encoder.encode(`${header}hello`)).catch(() => {}); // it may be closed already
    assertEquals((await rest(conn)).length, 0);
    const line = await server.log.with(`"peer":"${local(conn)}"`);
    assertMatch(line, /"rejected".*not trusted to send a PROXY header \(see --trust\)/);
  }
  assertEquals(await server.stop(), 0);
  assertEquals(server.log.events("stopped")[0]!["failed"], 3);
  assertEquals(server.log.events("stopped")[0]!["bytes"], 0);
});

Deno.test("a stop does not wait for a header", async () => {
  await using server = await start("127.0.0.1");
  using conn = await server.connect();
  await writeAll(conn, encoder.encode("PROXY TCP4 "));
  using second = await server.connect();
  await writeAll(second, encoder.encode("PROXY UNKNOWN\r\n"));
  assertEquals(await roundTrip(second, "x"), "x");
  const begin = performance.now();
  const [code] = await Promise.all([server.stop(), rest(conn), second.closeWrite()]);
  assertEquals(code, 0);
  assertLess(performance.now() - begin, 1500);
  assertMatch(JSON.stringify(server.log.events("rejected")), /the server stopped/);
});

Deno.test("--proxy-protocol and --trust need each other, and addresses that can carry a header", async () => {
  const table: [string[], RegExp][] = [
    [["--proxy-protocol"], /--proxy-protocol needs --trust .*anybody else could claim to be anyone/],
    [["--trust", "::1"], /--trust names those who may send a PROXY header; it needs --proxy-protocol/],
    [["--proxy-protocol", "--trust", "10.0.0.7/8"], /--trust: "10.0.0.7\/8" has bits beyond its prefix/],
    [
      ["--proxy-protocol", "--trust", "::1", "unix:/nonexistent/s"],
      /there are none on unix:\/nonexistent\/s/,
    ],
    [["--proxy-protocol", "--trust", "::1", "udp://127.0.0.1:0"], /there are none on udp:\/\/127.0.0.1:0/],
  ];
  const connecting: [string[], RegExp][] = [
    [["--proxy-protocol", "v3", ":1", "x"], /"v3" is none of v1, v2/],
    [["--proxy-protocol", "v1", "udp://:1", "x"], /there are none on udp:/],
    [["--proxy-protocol", "v1", "unix:/nonexistent/s", "x"], /there are none on unix:/],
  ];
  const commands = [
    ...table.map(([words, why]) => [["serve", ...words], why] as const),
    ...connecting.map(([words, why]) => [["connect", ...words], why] as const),
  ];
  await Promise.all(commands.map(async ([words, why]) => {
    const { code, stderr } = await run(words);
    assertEquals([code, stderr.trimEnd().split("\n").length], [2, 1], stderr);
    assertMatch(stderr, why);
  }));
});

for (const version of ["v1", "v2"] as const) {
  Deno.test(`connect --proxy-protocol ${version} sends a header with the connection's own addresses first`, async () => {
    const seen = Promise.withResolvers<[Uint8Array, Deno.TcpConn]>();
    using server = peer(async (conn) => {
      let header = new Uint8Array();
      for (let parsed = parseHeader(header); parsed.state === "partial"; parsed = parseHeader(header)) {
        header = Uint8Array.from([...header, ...await readUpTo(conn, parsed.more)]);
      }
      seen.resolve([header, conn]);
      await writeAll(conn, await readUpTo(conn, 6));
      await readUpTo(conn, 1); // its half-close
    });
    const ended = run(["connect", `127.0.0.1:${server.port}`, "hello", "--proxy-protocol", version]);
    const [header, conn] = await within(10_000, "a header", seen.promise);
    const { hostname, port } = conn.remoteAddr;
    assertEquals(parseHeader(header), { state: "whole", length: header.length, source: { hostname, port } });
    if (version === "v1") {
      const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${port} ${server.port}\r\n`;
      assertEquals(new TextDecoder().decode(header), line);
    }
    const { code, stdout } = await ended;
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "hello\n"]);
  });
}

Deno.test({
  name: "behind HAProxy, with send-proxy and send-proxy-v2: the real client's address, and every byte",
  ignore: !has("haproxy"),
  async fn() {
    await using server = await start("127.0.0.9"); // HAProxy's own address, and not the client's
    const echo = `127.0.0.1:${server.port}`;
    await using proxy = await haproxy({
      v1: { server: `${echo} send-proxy` },
      v2: { server: `${echo} send-proxy-v2` },
      sum: { server: `${echo} send-proxy-v2 proxy-v2-options crc32c,unique-id` },
      // Its own health checks: LOCAL. They wait for an echo: a bare one is reset before it can be accepted.
      local: {
        server: `${echo} check inter 200 send-proxy-v2 proxy-v2-options crc32c`,
        more: ["option tcp-check", "tcp-check send hello", "tcp-check expect string hello"],
      },
      // As a chain of proxies: what it is told in one version it tells on in the other.
      in1: { bind: "accept-proxy", server: `${echo} send-proxy-v2 proxy-v2-options crc32c` },
      in2: { bind: "accept-proxy", server: `${echo} send-proxy` },
      mapped1: { bind: "::ffff:127.0.0.1:PORT", server: `${echo} send-proxy` },
      mapped2: { bind: "::ffff:127.0.0.1:PORT", server: `${echo} send-proxy-v2` },
    });
    const bytes = noise(300_000);
    const sum = await sha256(bytes);
    for (const name of ["v1", "v2", "sum", "local", "mapped1", "mapped2"]) {
      using conn = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port(name) });
      const [back] = await Promise.all([readUpTo(conn, bytes.length), writeAll(conn, bytes)]);
      assertEquals(await sha256(back), sum, name);
      await server.log.with(new RegExp(`"connected".*"peer":"${local(conn)}"`));
    }
    await server.log.with(/"connected".*"peer":"127\.0\.0\.9:\d+"/); // a health check's peer stays HAProxy
    for (const [name, version] of [["in1", "v1"], ["in2", "v2"], ["in1", "v2"], ["in2", "v1"]] as const) {
      const words = [
        "connect",
        `127.0.0.1:${proxy.port(name)}`,
        `${name} ${version}`,
        "--proxy-protocol",
        version,
      ];
      const { code, stdout, stderr } = await run(words);
      assertEquals([code, new TextDecoder().decode(stdout)], [0, `${name} ${version}\n`], stderr);
    }
    assertEquals(server.log.events("rejected"), []);
    // The client itself is not trusted.
    using conn = await server.connect();
    assertEquals((await rest(conn)).length, 0);
    assertEquals(await server.stop(), 0);
  },
});
