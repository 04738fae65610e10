/** TLS behind the PROXY protocol: the header goes before the handshake, and not a byte of that may be lost. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { HAS_NODE_TLS } from "../../net/tls/tls.ts";
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
  writeAll,
} from "../support/helpers.ts";

/** Deno 2.7 begins a TLS handshake before a header could be read. */
const READS_BEFORE_TLS = HAS_NODE_TLS;

const encoder = new TextEncoder();

/** A certificate for 127.0.0.1, gone at the end of the block. */
async function certificate(): Promise<AsyncDisposable & { cert: string; key: string; pem: string }> {
  const folder = await Deno.makeTempDir();
  const [cert, key] = [`${folder}/cert.pem`, `${folder}/key.pem`];
  const subject = ["-subj", "/CN=echo", "-addext", "subjectAltName=IP:127.0.0.1"];
  const { code, stderr } = await new Deno.Command("openssl", {
    args: ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
      .concat(["-days", "2", "-keyout", key, "-out", cert, "-addext", "basicConstraints=critical,CA:FALSE"])
      .concat(subject),
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const pem = await Deno.readTextFile(cert);
  return { cert, key, pem, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

function start(trust: string, { cert, key }: { cert: string; key: string }): Promise<ServerProcess> {
  const flags = ["--proxy-protocol", "--trust", trust, "--cert", cert, "--key", key];
  return ServerProcess.start(["tls://127.0.0.1:0", ...flags]);
}

Deno.test({
  name: "a Deno that begins a TLS handshake at once refuses --proxy-protocol on tls addresses",
  ignore: READS_BEFORE_TLS,
  async fn() {
    const flags = ["--proxy-protocol", "--trust", "127.0.0.1"];
    const { code, stderr } = await run(["serve", "tls://127.0.0.1:0", ...flags]);
    assertEquals(code, 2);
    assertMatch(stderr, /--proxy-protocol on tls:\/\/127.0.0.1:0 takes Deno 2.9/);
  },
});

Deno.test({
  name: "TLS passed through by HAProxy: the real client's address, and every byte",
  ignore: !READS_BEFORE_TLS || !has("haproxy", "openssl"),
  async fn() {
    await using tls = await certificate();
    await using server = await start("127.0.0.9", tls); // HAProxy's own address, and not the client's
    const echo = `127.0.0.1:${server.port}`;
    await using proxy = await haproxy({
      v1: { server: `${echo} send-proxy` },
      v2: { server: `${echo} send-proxy-v2 proxy-v2-options crc32c` },
      in1: { bind: "accept-proxy", server: `${echo} send-proxy-v2` },
    });
    const bytes = noise(300_000);
    for (const name of ["v1", "v2"]) {
      using conn = await Deno.connectTls({
        hostname: "127.0.0.1",
        port: proxy.port(name),
        caCerts: [tls.pem],
      });
      const [back] = await Promise.all([readUpTo(conn, bytes.length), writeAll(conn, bytes)]);
      assertEquals(await sha256(back), await sha256(bytes), name);
      await server.log.with(`"peer":"127.0.0.1:${conn.localAddr.port}"`);
    }
    const words = ["connect", `tls://127.0.0.1:${proxy.port("in1")}`, "hello", "--ca", tls.cert];
    for (const version of ["v1", "v2"]) {
      const { code, stdout, stderr } = await run([...words, "--proxy-protocol", version]);
      assertEquals([code, new TextDecoder().decode(stdout)], [0, "hello\n"], stderr);
    }
  },
});

/** Relays between a TLS client and the server; what the client says first is sent together with the header. */
function sender(port: number, header: Uint8Array, pieces: (first: Uint8Array) => Uint8Array[]) {
  return peer(async (conn) => {
    using to = await Deno.connect({ hostname: "127.0.0.1", port });
    to.setNoDelay(true);
    const buffer = new Uint8Array(16_384);
    const n = await conn.read(buffer) ?? 0;
    for (const piece of pieces(Uint8Array.from([...header, ...buffer.subarray(0, n)]))) {
      await writeAll(to, piece);
      await new Promise((resolve) => setTimeout(resolve, 1)); // else the kernel joins them
    }
    const back = async () => {
      const bytes = new Uint8Array(16_384);
      for (let n; (n = await to.read(bytes)) !== null;) await writeAll(conn, bytes.subarray(0, n));
    };
    const there = async () => {
      for (let n; (n = await conn.read(buffer)) !== null;) await writeAll(to, buffer.subarray(0, n));
      await to.closeWrite();
    };
    await Promise.allSettled([there(), back()]);
  });
}

Deno.test({
  name: "a handshake that comes in one piece with the header, or byte by byte, begins where the header ends",
  ignore: !READS_BEFORE_TLS || !has("openssl"),
  async fn() {
    await using tls = await certificate();
    await using server = await start("127.0.0.1", tls);
    const v2 = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 12];
    const headers: [Uint8Array, string][] = [
      [encoder.encode("PROXY TCP4 192.0.2.7 192.0.2.8 56324 443\r\n"), "192.0.2.7:56324"],
      [Uint8Array.from([...v2, 198, 51, 100, 9, 1, 1, 1, 1, 0, 80, 0, 81]), "198.51.100.9:80"],
    ];
    const whole = (first: Uint8Array) => [first];
    const bytewise = (first: Uint8Array) => Array.from(first, (byte) => Uint8Array.of(byte));
    let client = 0;
    for (const [header, shown] of headers) {
      for (const pieces of [whole, bytewise]) {
        using relay = sender(server.port, header, pieces);
        using conn = await Deno.connectTls({ hostname: "127.0.0.1", port: relay.port, caCerts: [tls.pem] });
        assertEquals(await roundTrip(conn, "hello"), "hello");
        const line = await server.log.with(`"event":"connected","client":${++client},`);
        assertEquals(JSON.parse(line).peer, shown);
      }
    }
    assert(server.log.events("rejected").length === 0);
  },
});

Deno.test({
  name:
    "a failed handshake behind a good header is rejected under the client's address; without one, there is no handshake",
  ignore: !READS_BEFORE_TLS || !has("openssl"),
  async fn() {
    await using tls = await certificate();
    await using server = await start("127.0.0.1", tls);
    for (
      const [text, log] of [
        ["PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\nGET / HTTP/1.1\r\n\r\n", /"rejected".*"peer":"192.0.2.7:1"/],
        ["\x16\x03\x01\x02\0\x01\0", /"rejected".*bad PROXY header: it begins like neither version/],
      ] as const
    ) {
      using conn = await server.connect();
      await writeAll(conn, encoder.encode(text));
      await server.log.with(log);
      await readUpTo(conn, 4096).catch(() => {}); // an alert, perhaps, and the end
    }
    assertEquals(await server.stop(), 0);
    assertEquals(server.log.events("connected"), []);
  },
});
