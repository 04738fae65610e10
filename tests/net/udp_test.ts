/** UDP (RFC 862), the server and the client, against peers of the test's own and other people's. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  has,
  noise,
  roundTrip,
  run,
  type RunResult,
  ServerProcess,
  sha256,
  within,
} from "../support/helpers.ts";
import { mayMakeNetworks, Network } from "../support/network.ts";
import { Terminal } from "../support/terminal.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const root = Deno.uid() === 0;

/** A UDP socket with a buffer that nothing is cut to fit. */
class Socket implements Disposable {
  readonly #socket: Deno.DatagramConn;
  readonly #buffer = new Uint8Array(65_536);

  constructor(hostname = "127.0.0.1", port = 0) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port });
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  async send(bytes: Uint8Array | string, port: number, hostname = "127.0.0.1"): Promise<void> {
    const datagram = typeof bytes === "string" ? encoder.encode(bytes) : bytes;
    await this.#socket.send(datagram, { transport: "udp", hostname, port });
  }

  /** The next datagram and where it came from. */
  async next(): Promise<[Uint8Array, Deno.NetAddr]> {
    const [bytes, from] = await within(5000, "a datagram", this.#socket.receive(this.#buffer));
    return [bytes.slice(), from as Deno.NetAddr];
  }

  /** Sends, and returns what comes next. */
  async ask(bytes: Uint8Array | string, port: number, hostname?: string): Promise<Uint8Array> {
    await this.send(bytes, port, hostname);
    return (await this.next())[0];
  }

  async asText(bytes: string, port: number, hostname?: string): Promise<string> {
    return decoder.decode(await this.ask(bytes, port, hostname));
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** A port below 1024 that is free. */
function lowSocket(): Socket {
  for (let port = 1023; port > 900; port--) {
    try {
      return new Socket("127.0.0.1", port);
    } catch { /* taken */ }
  }
  throw new Error("no port below 1024 is free");
}

/** Nothing has come to this socket before what the test itself sends to it now. */
async function assertSilent(socket: Socket, hostname = "127.0.0.1"): Promise<void> {
  using marker = new Socket();
  await marker.send("marker", socket.port, hostname);
  assertEquals(decoder.decode((await socket.next())[0]), "marker", "it was answered");
}

/**
 * A service of the test's own: for each datagram, counted from 1, `answer` says what goes back, each to be sent in
 * turn; it may wait.
 */
function service(
  answer: (number: number, bytes: Uint8Array) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>,
): Disposable & { readonly port: number; readonly socket: Socket } {
  const socket = new Socket();
  (async () => {
    for (let number = 1;; number++) {
      let datagram: [Uint8Array, Deno.NetAddr];
      try {
        datagram = await socket.next();
      } catch {
        return; // closed
      }
      const [bytes, { hostname, port }] = datagram;
      for (const reply of await answer(number, bytes)) await socket.send(reply, port, hostname);
    }
  })().catch(() => {}); // closed while it answered
  return { port: socket.port, socket, [Symbol.dispose]: () => socket[Symbol.dispose]() };
}

/** Ten datagrams of 100 bytes, each its own. */
const TEN = noise(1000);
const part = (number: number) => TEN.slice((number - 1) * 100, number * 100);

function pipe(port: number, stdin: RunResult["stdout"] | ReadableStream<Uint8Array>, ...words: string[]) {
  return run(["connect", `udp://127.0.0.1:${port}`, ...words], { stdin });
}

function counts(sent: number, other: Record<string, number> = {}): string {
  const all = { received: sent, lost: 0, late: 0, reordered: 0, duplicate: 0, ...other };
  const shown = Object.entries(all).map(([name, count]) => `${count} ${name}`).join(", ");
  return `${sent} datagram${sent === 1 ? "" : "s"} sent, ${shown}`;
}

/** The port that it listens on at an address that begins so. */
async function portOf(server: ServerProcess, address: string): Promise<number> {
  const line = await server.log.with(new RegExp(`"listening".*${address.replaceAll(".", "\\.")}`));
  return Number(/:(\d+)"/.exec(line)![1]);
}

/** The last line of a server's log. */
const summary = (server: ServerProcess) => server.log.events("stopped")[0]!;

Deno.test("datagrams of 0, 1, 1,400 and 65,507 bytes come back exact, over IPv4 and IPv6, and are counted", async () => {
  await using server = await ServerProcess.start(["udp://:0"]);
  let bytes = 0;
  for (const [bound, hostname] of [["127.0.0.1", "127.0.0.1"], ["::1", "::1"]] as const) {
    using socket = new Socket(bound);
    for (const size of [0, 1, 1400, 65_507]) {
      const datagram = noise(size, size + 1);
      assertEquals(await socket.ask(datagram, server.port, hostname), datagram);
      bytes += size;
    }
  }
  server.kill("SIGUSR2");
  await server.log.with('"state"');
  const state = server.log.events("state")[0]!;
  assertEquals([state["datagrams"], state["bytes"]], [8, bytes]);
  assertEquals(await server.stop(), 0);
  const { datagrams, refused, failed } = summary(server);
  assertEquals([datagrams, refused, failed], [8, 0, 0]);
  assertEquals(summary(server)["bytes"], bytes);
});

Deno.test("a datagram is logged with its peer, bytes and an escaped preview", async () => {
  await using server = await ServerProcess.start(["udp://127.0.0.1:0"]);
  using socket = new Socket();
  assertEquals(await socket.asText("a\x1b[2J\nb", server.port), "a\x1b[2J\nb");
  await server.log.with('"datagram"');
  const [entry] = server.log.events("datagram");
  assertEquals(entry?.["peer"], `127.0.0.1:${socket.port}`);
  assertEquals(entry?.["bytes"], 7);
  assertEquals(entry?.["text"], '"a\\x1b[2J\\nb"');
});

Deno.test({
  name: "a source port below 1024 gets no answer",
  ignore: !root,
  async fn() {
    await using server = await ServerProcess.start(["udp://127.0.0.1:0"]);
    using low = lowSocket();
    using socket = new Socket();
    await low.send("loop?", server.port);
    assertStringIncludes(await server.log.with('"refused"'), "is below 1024");
    assertEquals(await socket.asText("next", server.port), "next");
    await assertSilent(low);
    await server.stop();
    assertEquals([summary(server)["refused"], summary(server)["datagrams"]], [1, 1]);
  },
});

Deno.test("the server's own ports get no answer, whatever the host", async () => {
  await using server = await ServerProcess.start(["udp://127.0.0.1:0", "udp://127.0.0.3:0"]);
  const targets = [["127.0.0.1", server.port], ["127.0.0.3", await portOf(server, "127.0.0.3")]] as const;
  using socket = new Socket();
  for (const [, port] of targets) {
    using twin = new Socket("127.0.0.2", port);
    for (const [host, to] of targets) {
      await twin.send("loop?", to, host);
      assertEquals(await socket.asText("next", to, host), "next");
    }
    await assertSilent(twin, "127.0.0.2");
  }
  assertStringIncludes(await server.log.with('"refused"'), "is the server's own");
  await server.stop();
  assertEquals([summary(server)["refused"], summary(server)["datagrams"]], [4, 4]);
});

Deno.test("two echo services on the same port, pointed at each other, do not loop", async () => {
  await using one = await ServerProcess.start(["udp://127.0.0.1:0"]);
  one.kill("SIGSTOP");
  { // what a forged packet would do: a datagram at `one` that comes from where the other is about to listen
    using forger = new Socket("127.0.0.2", one.port);
    await forger.send("round and round", one.port);
  }
  await using two = await ServerProcess.start([`udp://127.0.0.2:${one.port}`]);
  one.kill("SIGCONT");
  await one.log.with('"refused"');
  using socket = new Socket();
  assertEquals(await socket.asText("well?", one.port), "well?");
  assertEquals(await socket.asText("well?", one.port, "127.0.0.2"), "well?");
  await one.stop();
  await two.stop();
  assertEquals([summary(one)["datagrams"], summary(two)["datagrams"]], [1, 1]);
});

Deno.test("senders that vanish, and a flood that nobody reads the answers of, cost the others nothing", async () => {
  await using server = await ServerProcess.start(["127.0.0.1:0", "udp://127.0.0.1:0"]);
  const udp = await portOf(server, "udp://127.0.0.1");
  for (let i = 0; i < 200; i++) {
    using gone = new Socket();
    await gone.send(`number ${i}`, udp);
  }
  using flooder = new Socket();
  let flooding = true;
  const flood = (async () => {
    for (const bytes = noise(1000); flooding;) await flooder.send(bytes, udp);
  })();
  try {
    using conn = await server.connect();
    for (let i = 0; i < 20; i++) {
      assertEquals(await within(10_000, "an echo beside the flood", roundTrip(conn, "hello")), "hello");
    }
  } finally {
    flooding = false; // before its socket is closed, whatever happened
    await flood;
  }
  using socket = new Socket();
  for (let tries = 1; tries <= 50; tries++) { // the flood may have left no room for the first ones
    await socket.send("still there?", udp);
    const answer = await within(200, "an answer", socket.next()).catch(() => undefined);
    if (answer !== undefined) return assertEquals(decoder.decode(answer[0]), "still there?");
  }
  throw new Error("no answer after the flood");
});

Deno.test("at the stop, what has arrived is answered, and only then the socket is closed", async () => {
  await using server = await ServerProcess.start(["udp://127.0.0.1:0"]);
  using socket = new Socket();
  server.kill("SIGSTOP");
  for (let i = 0; i < 150; i++) await socket.send(`number ${i}`, server.port);
  server.kill("SIGTERM");
  server.kill("SIGCONT");
  for (let i = 0; i < 150; i++) assertEquals(decoder.decode((await socket.next())[0]), `number ${i}`);
  assertEquals((await within(10_000, "the end", server.status)).code, 0);
  await server.log.ended;
  assertEquals(summary(server)["datagrams"], 150);
  using again = new Socket("127.0.0.1", server.port); // the port is free
  assert(again.port > 0);
});

Deno.test("a UDP port that is taken, and an address that this machine has not: one line, exit 1", async () => {
  using socket = new Socket();
  const taken = await run(["serve", `udp://127.0.0.1:${socket.port}`]);
  assertEquals(taken.code, 1);
  assertStringIncludes(
    taken.stderr,
    `cannot listen on udp://127.0.0.1:${socket.port}: the address is in use`,
  );
  const foreign = await run(["serve", "udp://192.0.2.1:0"]);
  assertEquals([foreign.code, foreign.stderr.trim().split("\n").length], [1, 1]);
});

Deno.test("what the command line asks of UDP in vain is an error of usage", async () => {
  const cases: [string[], string][] = [
    [["udp://:1", "--size", "65508"], "from 1 to 65507 bytes"],
    [["udp://:1", "--size", "0"], "from 1 to 65507 bytes"],
    [["tcp://:1", "--size", "100"], "needs a udp address"],
    [["udp://:1", "--retry", "1s"], "UDP has none"],
    [["udp://:1", "x".repeat(65_507)], "the message has 65508 bytes"],
  ];
  for (const [words, message] of cases) {
    const { code, stderr } = await run(["connect", ...words]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, message);
  }
});

Deno.test({
  name: "socat and ncat get from the server what they send",
  ignore: !has("socat", "ncat"),
  async fn() {
    await using server = await ServerProcess.start(["udp://127.0.0.1:0"]);
    const peers = [["socat", "-t5", "-", `UDP:127.0.0.1:${server.port}`], [
      "ncat",
      "-u",
      "127.0.0.1",
      String(server.port),
    ]];
    for (const [program = "", ...args] of peers) {
      const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "null" })
        .spawn();
      const writer = child.stdin.getWriter();
      await writer.write(encoder.encode(`hello from ${program}`));
      const reader = child.stdout.getReader();
      const { value } = await within(5000, `the echo to ${program}`, reader.read());
      assertEquals(decoder.decode(value), `hello from ${program}`);
      child.kill("SIGKILL");
      await writer.close().catch(() => {});
      await reader.cancel();
      await child.status;
    }
  },
});

Deno.test({
  name: "the client gets from socat and ncat what it sends",
  ignore: !has("socat", "ncat"),
  async fn() {
    const free = () => {
      using socket = new Socket();
      return socket.port;
    };
    const peers = (port: number) => [["socat", `UDP-RECVFROM:${port},bind=127.0.0.1,fork`, "PIPE"], [
      "ncat",
      "-ukl",
      "127.0.0.1",
      String(port),
      "-e",
      "/bin/cat",
    ]];
    for (const index of [0, 1]) {
      const port = free();
      const [program = "", ...args] = peers(port)[index]!;
      // Both fork a child for each datagram; timeout(1) hands its signal to all of them.
      const child = new Deno.Command("timeout", {
        args: ["30", program, ...args],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        let result: RunResult;
        let tries = 0;
        do { // until it listens
          result = await run(["connect", `udp://127.0.0.1:${port}`, "hello", "there", "--timeout", "500ms"]);
        } while (result.code !== 0 && ++tries < 10);
        assertEquals([result.code, decoder.decode(result.stdout)], [0, "hello there\n"], program);
        assertStringIncludes(result.stderr, counts(1));
      } finally {
        child.kill("SIGTERM");
        await child.status;
      }
    }
  },
});

Deno.test("5 MB in a pipe come back whole, whatever the size of a datagram; nothing is lost here", async () => {
  await using server = await ServerProcess.start(["udp://:0", "--log-level", "info"]);
  const file = noise(5_000_000);
  const sum = await sha256(file);
  for (const words of [[], ["--size", "65507"], ["--size", "9000", "-q"]]) {
    const { code, stdout, stderr } = await pipe(server.port, file, ...words);
    assertEquals([code, await sha256(stdout)], [0, sum], stderr);
    if (words.includes("-q")) assertEquals(stderr, "");
    else assertStringIncludes(stderr, " 0 lost, 0 late, 0 reordered, 0 duplicate");
  }
});

Deno.test("equal datagrams stand for one another, and an empty input is no fault", async () => {
  await using server = await ServerProcess.start(["udp://127.0.0.1:0"]);
  const { code, stdout } = await pipe(server.port, new Uint8Array(200_000));
  assertEquals([code, stdout], [0, new Uint8Array(200_000)]);
  const none = await pipe(server.port, new Uint8Array());
  assertEquals([none.code, none.stdout.length], [0, 0]);
  assertStringIncludes(none.stderr, counts(0));
});

Deno.test("a lost datagram is given up after --timeout and counted, and the rest goes on", async () => {
  using peer = service((number, bytes) => number === 3 ? [] : [bytes]);
  const { code, stdout, stderr, took } = await pipe(peer.port, TEN, "--size", "100", "--timeout", "500ms");
  assertEquals(code, 1);
  assertEquals(stdout, new Uint8Array([...TEN.subarray(0, 200), ...TEN.subarray(300)]));
  assertStringIncludes(stderr, counts(10, { received: 9, lost: 1 }));
  assertStringIncludes(stderr, "echo: 1 of 10 datagrams did not come back within 500 ms");
  assert(took >= 500);
});

Deno.test("doubled replies are counted, and delivered once", async () => {
  using peer = service((number, bytes) => number <= 5 ? [bytes, bytes] : [bytes]);
  const { code, stdout, stderr } = await pipe(peer.port, TEN, "--size", "100");
  assertEquals([code, stdout], [0, TEN]);
  assertStringIncludes(stderr, counts(10, { duplicate: 5 }));
});

Deno.test("replies out of order are counted, and delivered in the order of sending", async () => {
  let held: Uint8Array | undefined;
  using peer = service((_number, bytes) => {
    const before = held;
    held = before === undefined ? bytes : undefined;
    return before === undefined ? [] : [bytes, before];
  });
  const { code, stdout, stderr } = await pipe(peer.port, TEN, "--size", "100");
  assertEquals([code, stdout], [0, TEN]);
  assertStringIncludes(stderr, counts(10, { reordered: 5 }));
});

Deno.test("a reply that comes after --timeout is late: counted, not delivered, and no success", async () => {
  const second = Promise.withResolvers<void>();
  using peer = service((number, bytes) => number === 1 ? [] : [part(1), bytes]);
  const stdin = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(part(1));
      await second.promise;
      controller.enqueue(part(2));
      controller.close();
    },
  });
  const timer = setTimeout(second.resolve, 1500); // well after the timeout, and the start of the process
  const { code, stdout, stderr } = await pipe(peer.port, stdin, "--timeout", "300ms");
  clearTimeout(timer);
  assertEquals([code, stdout], [1, part(2)]);
  assertStringIncludes(stderr, counts(2, { received: 1, lost: 1, late: 1 }));
});

Deno.test("a reply that differs, is cut, or was never asked for: exit 1, with where and what", async () => {
  const flipped = part(2);
  flipped[3]! ^= 0xff;
  const hex = (byte: number) => `0x${byte.toString(16).padStart(2, "0")}`;
  const cases: [Uint8Array[], string][] = [
    [
      [flipped],
      `datagram 2: byte 3 came back changed: sent ${hex(part(2)[3]!)}, received ${hex(flipped[3]!)}`,
    ],
    [[part(2).slice(0, 99)], "corrupted: datagram 2: it ends after 99 of 100 bytes"],
    [[new Uint8Array([...part(2), 7])], "corrupted: datagram 2: 1 byte came after its end"],
    [[noise(30, 5)], "surplus: a datagram of 30 bytes came that was never sent"],
  ];
  for (const [reply, message] of cases) {
    // The first one waits for the second, so that what is compared is known.
    using peer = service((number, bytes) => number === 2 ? [part(1), ...reply] : number === 1 ? [] : [bytes]);
    const { code, stderr } = await pipe(
      peer.port,
      TEN.subarray(0, 200),
      ..."--size 100 --timeout 500ms".split(" "),
    );
    assertEquals(code, 1);
    assertStringIncludes(stderr, message);
  }
});

Deno.test("datagrams from elsewhere are not taken for replies", async () => {
  using other = new Socket();
  using socket = new Socket();
  const running = run(["connect", `udp://127.0.0.1:${socket.port}`, "hello"]);
  const [bytes, { port }] = await socket.next();
  await other.send("HELLO\n", port);
  await other.send(bytes, port);
  await socket.send(bytes, port);
  const { code, stdout, stderr } = await running;
  assertEquals([code, decoder.decode(stdout)], [0, "hello\n"]);
  assertStringIncludes(stderr, `${counts(1)}, 2 stray`);
});

Deno.test("a server on every interface that answers from another address: exit 1, and why", async () => {
  await using server = await ServerProcess.start(["udp://0.0.0.0:0"]);
  const { code, stderr } = await run([
    "connect",
    `udp://127.0.0.2:${server.port}`,
    "--timeout",
    "500ms",
    "hi",
  ]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `1 datagram came from 127.0.0.1:${server.port} instead`);
});

Deno.test("nobody there: exit 1 at the timeout, for a message and for a long pipe", async () => {
  using deaf = new Socket();
  const message = await run(["connect", `udp://127.0.0.1:${deaf.port}`, "--timeout", "1s", "hello"]);
  assertEquals([message.code, message.stdout.length], [1, 0]);
  assertStringIncludes(
    message.stderr,
    `echo: no reply from udp://127.0.0.1:${deaf.port} within 1 s; nothing`,
  );
  assert(message.took >= 1000 && message.took < 2500, `${message.took} ms`);
  const long = await pipe(deaf.port, noise(1_000_000), "--timeout", "1s");
  assertEquals(long.code, 1);
  assertStringIncludes(long.stderr, "54 datagrams in a row were lost");
  assert(long.took >= 1000 && long.took < 2500, `${long.took} ms`);
});

Deno.test({
  name: "at the terminal: a datagram a line, the lost ones said, and the counts at the end",
  ignore: !has("tmux"),
  async fn() {
    using peer = service((number, bytes) => number === 2 ? [] : [bytes]);
    await using terminal = await Terminal.connect(`udp://127.0.0.1:${peer.port}`, "--timeout", "500ms");
    const opening =
      `to udp://127.0.0.1:${peer.port}, a datagram a line (UDP has no connection); "exit" or Ctrl-D`;
    assertStringIncludes(await terminal.shows(/\n>$/), opening);
    await terminal.type("hello", "Enter");
    await terminal.shows(/^> hello\n\d+\.\d{3} ms {2}hello\n>$/m);
    await terminal.type("lost", "Enter");
    await terminal.shows(/^> lost\nno reply within 500 ms\n>$/m);
    await terminal.type("again", "Enter");
    await terminal.shows(/^\d+\.\d{3} ms {2}again\n>$/m);
    await terminal.type("exit", "Enter");
    assertEquals(await terminal.exit(), 1);
    const screen = (await terminal.screen()).replaceAll("\n", " ");
    assertMatch(
      screen,
      /2 lines, 12 bytes there and back; round trip min\/avg\/max = [\d./]+ ms; 3 datagrams sent/,
    );
    assertStringIncludes(screen, counts(3, { received: 2, lost: 1 }));
    assertStringIncludes(screen, "echo: 1 of 3 datagrams did not come back");
  },
});

Deno.test({
  name: "across two network namespaces: UDP over IPv4 and IPv6, and TCP over IPv6",
  ignore: !await mayMakeNetworks(),
  async fn() {
    await using network = await Network.make();
    const under = (name: string) => ({ under: ["ip", "netns", "exec", name] });
    await using server = await ServerProcess.start(
      ["udp://:7007", "tcp://[fd77::1]:7007"],
      under(network.here),
    );
    await server.log.with(/listening.*tcp/);
    const file = noise(500_000);
    for (const address of ["udp://10.77.0.1:7007", "udp://[fd77::1]:7007", "tcp://[fd77::1]:7007"]) {
      const { code, stdout, stderr } = await run(["connect", address], {
        stdin: file,
        ...under(network.there),
      });
      assertEquals([code, await sha256(stdout)], [0, await sha256(file)], stderr);
    }
    assertEquals(await server.stop(), 0);
    assertEquals(server.log.events("datagram")[0]!["peer"]!.toString().split(":")[0], "10.77.0.2");
  },
});

Deno.test({
  name:
    "a link-local client of any link gets its answer from a socket of that link, and a refusal from one of all",
  ignore: !await mayMakeNetworks(),
  async fn() {
    await using first = await Network.make("cable");
    await using second = await Network.make("wire", first.here);
    const under = (name: string) => ({ under: ["ip", "netns", "exec", name] });
    const ask = (network: Network, port: number) =>
      run(
        ["connect", `udp://[fe80::1%${network.cable}]:${port}`, "hello", "--timeout", "500ms"],
        under(network.there),
      );
    const words = ["udp://:7007", "udp://[fe80::1%cable]:7008", "udp://[fe80::1%wire]:7009"];
    await using server = await ServerProcess.start(words, under(first.here));
    await server.log.with("udp://[fe80::1%wire]:7009");
    assertEquals([(await ask(first, 7008)).code, (await ask(second, 7009)).code], [0, 0]);
    assertEquals([(await ask(first, 7007)).code, (await ask(second, 7007)).code], [1, 1]);
    assertEquals(await server.stop(), 0);
    assertStringIncludes(
      String(server.log.events("refused")[0]!["reason"]),
      "listen on the link's own address",
    );
    assertEquals([summary(server)["refused"], summary(server)["datagrams"]], [2, 2]);
  },
});
