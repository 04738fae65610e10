/** UDP sockets: what both engines promise, and what is special to the system calls of Linux. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { errno, reason } from "../../base/errors.ts";
import { DatagramPeer } from "../../net/datagrams.ts";
import type { Datagram, DatagramSocket } from "../../net/datagram_socket.ts";
import { type Engine, ENGINES, epollObstacle } from "../../net/engine.ts";
import { openDatagramSocket } from "../../net/schemes.ts";
import type { Way } from "../../net/stream.ts";
import { CProgram } from "../support/c_program.ts";
import { mayMakeNetworks, Network } from "../support/network.ts";
import { has, holds, noise, run, ServerProcess, until, within } from "../support/helpers.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const root = Deno.uid() === 0;
const ANY_WAY: Way = {
  family: undefined,
  source: undefined,
  device: undefined,
  ttl: undefined,
  tos: undefined,
};
const noEpoll = epollObstacle() !== undefined;
if (!noEpoll) await import("../../net/libc/libc.ts"); // it is open from here on, and no leak of a test

/** A socket that echoes all but what begins with "no:", and what it was told. */
class EchoSocket implements AsyncDisposable {
  readonly counts = { sent: 0, bytes: 0, failed: 0 };
  readonly senders: string[] = [];
  readonly #socket: DatagramSocket;
  readonly #ended: Promise<unknown>;
  readonly #told: (datagram: Datagram) => void;

  private constructor(socket: DatagramSocket, told: (datagram: Datagram) => void) {
    this.#socket = socket;
    this.#told = told;
    this.#ended = socket.echo(this).catch((error: unknown) => error);
  }

  static async open(
    engine: Engine,
    hostname: string,
    told: (datagram: Datagram) => void = () => {},
  ): Promise<EchoSocket> {
    return new EchoSocket(await openDatagramSocket(engine, { local: { hostname, port: 0 } }), told);
  }

  get port(): number {
    return this.#socket.local.port;
  }

  wants(datagram: Datagram): boolean {
    const { bytes, from, port, isLinkLocal } = datagram;
    assertEquals([from.port, isLinkLocal], [port, false]);
    this.#told(datagram);
    this.senders.push(from.hostname);
    return !decoder.decode(bytes.subarray(0, 3)).startsWith("no:");
  }

  sent(bytes: number): void {
    this.counts.sent++;
    this.counts.bytes += bytes;
  }

  failed(): void {
    this.counts.failed++;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    assert(await this.#ended instanceof Error, "echo ends when the socket is closed");
  }
}

/** A client's socket, and what came to it. */
async function client(engine: Engine, host: string, port: number) {
  const peer = await DatagramPeer.open(
    { host, port },
    { engine, way: ANY_WAY },
    new AbortController().signal,
  );
  const received: Uint8Array[] = [];
  let wake = () => {};
  const ended = peer.receive((datagram, now) => {
    assert(now <= performance.now());
    received.push(datagram.slice());
  }, () => wake()).catch((error: unknown) => error);
  return {
    peer,
    received,
    strays: ((strays: string[]) => (peer.onStray = (from) => strays.push(from), strays))([]),
    /** Waits for so many. */
    async have(n: number): Promise<void> {
      while (received.length < n) {
        await within(
          5000,
          "a reply",
          new Promise<void>((resolve) => wake = resolve),
        );
      }
    },
    async [Symbol.asyncDispose](): Promise<void> {
      peer.close();
      assert(await ended instanceof Error, "receive ends when the socket is closed");
    },
  };
}

for (const engine of ENGINES) {
  const name = (what: string) => ({
    name: `engine ${engine}: ${what}`,
    ignore: engine === "epoll" && noEpoll,
    // The thread that waits for the sockets of epoll learns a moment after the last was closed that it was.
    sanitizeOps: engine !== "epoll",
  });

  Deno.test({
    ...name("datagrams of every size come back to who sent them, over IPv4, IPv6 and both"),
    async fn() {
      const ways = [
        ["127.0.0.1", "127.0.0.1"],
        ["::1", "::1"],
        ["::", "127.0.0.1"],
        ["::", "::1"],
        [
          "0.0.0.0",
          "0.0.0.0",
        ],
        ["::", "::"],
        ["::", "::ffff:127.0.0.1"],
      ] as const;
      for (const [local, to] of ways) {
        await using server = await EchoSocket.open(engine, local);
        await using one = await client(engine, to, server.port);
        await using other = await client(engine, to, server.port);
        const sizes = [0, 1, 1400, 65_507, 0, 2];
        for (const [i, size] of sizes.entries()) {
          assertEquals(await one.peer.send(noise(size, i)), size);
          assertEquals(await other.peer.send(noise(size, i + 100)), size);
          await one.have(i + 1);
          await other.have(i + 1);
        }
        assertEquals(one.received, sizes.map((size, i) => noise(size, i)), `${to} at ${local}`);
        assertEquals(other.received, sizes.map((size, i) => noise(size, i + 100)), `${to} at ${local}`);
        const bytes = 2 * sizes.reduce((sum, size) => sum + size);
        assertEquals(server.counts, { sent: 2 * sizes.length, bytes, failed: 0 });
        assertEquals(new Set(server.senders).size, 1);
      }
    },
  });

  Deno.test({
    ...name("what is not wanted does not come back, and a stray is told with its address"),
    async fn() {
      const stranger = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
      const strange = stranger.addr as Deno.NetAddr;
      let port = 0;
      await using server = await EchoSocket.open(engine, "127.0.0.1", (datagram) => port = datagram.port);
      await using it = await client(engine, "127.0.0.1", server.port);
      await it.peer.send(encoder.encode("a"));
      await it.have(1);
      await stranger.send(encoder.encode("b"), { ...strange, port });
      for (const text of ["no:b", "no:c", "d", "no:e", "f"]) await it.peer.send(encoder.encode(text));
      await it.have(3);
      stranger.close();
      assertEquals(it.received.map((bytes) => decoder.decode(bytes)), ["a", "d", "f"]);
      assertEquals(it.strays, [`127.0.0.1:${strange.port}`]);
      assertEquals(server.counts, { sent: 3, bytes: 3, failed: 0 });
    },
  });

  Deno.test({
    ...name("what cannot be sent is an error with the same name and the same words"),
    async fn() {
      for (
        const [port, size, code, words] of [
          [9, 65_508, "EMSGSIZE", "too large for a datagram; send less at once"],
          [0, 1, "EINVAL", "Invalid argument"],
        ] as const
      ) {
        await using it = await client(engine, "127.0.0.1", port);
        const error = await (async () => await it.peer.send(new Uint8Array(size)))().catch((error) => error);
        assertEquals([errno(error), reason(error)], [code, words]);
      }
    },
  });
}

const epoll = (ignore = false) => ({ ignore: noEpoll || ignore });

Deno.test({
  name: "engine epoll: hostile senders in a batch get no answer, and the others theirs, each in order",
  ...epoll(!root || !has("gcc")),
  async fn() {
    using forger = await CProgram.build("forger");
    const words = ["--engine", "epoll", "udp://127.0.0.1:0", "udp://127.0.0.1:0"];
    await using server = await ServerProcess.start(words);
    const its = server.log.events("listening").map(({ address }) => Number(/\d+$/.exec(String(address))));
    assertEquals(its.length, 2);
    const sockets = Array.from(
      { length: 3 },
      () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 }),
    );
    const text = (i: number, round: number) => `${i}: ${"x".repeat(round * 7)}`;
    const rounds = 12;
    server.kill("SIGSTOP"); // so that all are in one batch
    for (let round = 0; round < rounds; round++) {
      for (const [i, socket] of sockets.entries()) {
        const to = { transport: "udp", hostname: "127.0.0.1", port: server.port } as const;
        await socket.send(encoder.encode(text(i, round)), to);
      }
      if (round % 5 === 0) await forger.figures(server.port, "again!", 0, 1, 7, 1023, ...its);
    }
    server.kill("SIGCONT");
    for (const [i, socket] of sockets.entries()) {
      for (let round = 0; round < rounds; round++) {
        const [bytes] = await within(5000, "an echo", socket.receive());
        assertEquals(decoder.decode(bytes), text(i, round));
      }
      socket.close();
    }
    assertEquals(await server.stop(), 0);
    const { datagrams, refused, failed } = server.log.events("stopped")[0]!;
    assertEquals([datagrams, refused, failed], [36, 18, 0]);
    const reasons = server.log.events("refused").map(({ reason }) => String(reason));
    assert(reasons.some((reason) => reason.includes("below 1024")), reasons.join());
  },
});

Deno.test({
  name: "engine epoll: ping --ttl, --tos and --interface over UDP, as the other end sees the packets",
  ...epoll(!has("gcc")),
  async fn() {
    using program = await CProgram.build("packet_echo");
    for (const [host, ttl, tos] of [["127.0.0.1", 7, 16], ["[::1]", 9, 184]] as const) {
      await using server = await program.serve();
      const words =
        `ping udp://${host}:${server.port} -c 1 --engine epoll --ttl ${ttl} --tos ${tos} --interface lo`;
      const { code, stderr } = await run(words.split(" "));
      assertEquals([code, await server.end()], [0, [ttl, tos]], stderr);
    }
    const { code, stderr } = await run(
      "ping udp://127.0.0.1:9 -c 1 --engine epoll --interface nosuch0".split(" "),
    );
    assert(code === 1 || code === 2);
    assertStringIncludes(stderr, "no network interface nosuch0");
  },
});

/** A cable that takes 4 Mbit/s from here to there. */
async function slow(network: Network): Promise<boolean> {
  const words = `qdisc add dev ${network.cable} root tbf rate 4mbit burst 5kb limit 1mb`.split(" ");
  const { success } = await new Deno.Command("tc", { args: ["-n", network.here, ...words] }).output();
  return success;
}

async function maySlow(): Promise<boolean> {
  if (!has("tc") || !await mayMakeNetworks()) return false;
  await using network = await Network.make();
  return await slow(network);
}

for (const engine of ENGINES) {
  Deno.test({
    name:
      `serve --engine ${engine}: answers that find no room in the socket wait for it; at the stop they are counted`,
    ignore: (engine === "epoll" && noEpoll) || !has("ip", "python3") || !await maySlow(),
    async fn() {
      await using network = await Network.make();
      await slow(network);
      const under = (name: string) => ({ under: ["ip", "netns", "exec", name] });
      const words = ["--engine", engine, "udp://10.77.0.1:7007"];
      await using server = await ServerProcess.start(words, under(network.here));
      await holds(async () => { // the receive buffers may be too small for a moment
        const bench =
          "bench udp://10.77.0.1:7007 -c 4 --rate 2000 -s 1000 -n 150 --warmup 0 --timeout 1s --json";
        const { stdout, stderr } = await run(bench.split(" "), under(network.there));
        const { received, lost } = JSON.parse(decoder.decode(stdout));
        assertEquals([received, lost], [150, 0], stderr);
      });
      const logged = server.log.events("datagram").length;
      const flood = "bench udp://10.77.0.1:7007 -c 4 --pipeline 40 -s 1000 -d 1s --timeout 100ms --json";
      const flooded = run(flood.split(" "), under(network.there));
      await until("answers wait", () => server.log.events("datagram").length > logged + 200);
      assertEquals(await server.stop(), 0);
      await flooded;
      const { datagrams, failed } = server.log.events("stopped")[0]!;
      const took = server.log.events("datagram").length;
      if (engine === "epoll") assert(Number(failed) > 0, "a batch was to wait");
      assertEquals(Number(datagrams) + Number(failed), took);
    },
  });
}
