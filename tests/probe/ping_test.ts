import { assert, assertEquals, assertMatch } from "@std/assert";
import { at, ClientProcess, type Mangle, mangled, socat } from "../support/client_process.ts";
import {
  ECHO,
  ENGINE_OF_CLIENTS,
  has,
  Lines,
  onEngine,
  peer,
  ROOT,
  run,
  ServerProcess,
} from "../support/helpers.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("ping prints a line a reply and the summary, and exits with 0", async () => {
  using server = peer(mangled((piece) => piece));
  const { code, stdout } = await run(["ping", `127.0.0.1:${server.port}`, "-c", "3", "-i", "10ms"]);
  assertEquals(code, 0);
  const lines = text(stdout).trimEnd().split("\n");
  assertEquals(
    lines[0],
    `ping tcp://127.0.0.1:${server.port}: 64 bytes a message, engine ${ENGINE_OF_CLIENTS}`,
  );
  for (const seq of [1, 2, 3]) {
    assertMatch(
      lines[seq]!,
      new RegExp(`^64 bytes from 127\\.0\\.0\\.1:${server.port}: seq=${seq} time=\\d+\\.\\d{3} ms$`),
    );
  }
  assertEquals(lines[5], `--- tcp://127.0.0.1:${server.port} ping statistics ---`);
  assertMatch(lines[6]!, /^3 transmitted, 3 received, 0% loss, time \S+ (ms|s)$/);
  assertMatch(lines[7]!, /^rtt min\/avg\/max\/mdev = \d+\.\d{3}(\/\d+\.\d{3}){3} ms$/);
  assertMatch(lines[8]!, /^rtt p50\/p90\/p99 = [\d.]+\/-\/- ms$/);
  assertMatch(lines[9]!, new RegExp(`^engine ${ENGINE_OF_CLIENTS}(; kernel: rtt |$)`));
});

Deno.test("ping: nobody listens: each message says so, 100 % loss, exit 1", async () => {
  const { port } = (() => {
    using free = peer(() => Promise.resolve());
    return free;
  })();
  const { code, stdout } = await run(["ping", `:${port}`, "-c", "2", "-i", "10ms"]);
  assertEquals(code, 1);
  assertMatch(text(stdout), /seq=1 refused: .*\n.*seq=2 refused: /);
  assertMatch(text(stdout), /\n2 transmitted, 0 received, 100% loss, time .*\nengine \w+\n$/);
});

Deno.test("ping: a name that does not resolve ends it with one line", async () => {
  const { code, stdout, stderr } = await run(["ping", "no-such-host.invalid"]);
  assertEquals([code, text(stdout), stderr.trimEnd().split("\n").length], [1, "", 1]);
});

Deno.test("ping --json: an object a reply, one at the end, and the keys carry their unit", async () => {
  using server = peer(mangled((piece) => piece));
  const { code, stdout } = await run([
    "ping",
    `:${server.port}`,
    "-c",
    "2",
    "-i",
    "10ms",
    "-s",
    "1k",
    "--json",
  ]);
  assertEquals(code, 0);
  const [first, second, end, ...more] = text(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(more, []);
  assertEquals(Object.keys(first), ["seq", "bytes", "time_ms"]);
  assertEquals([first.seq, first.bytes, second.seq], [1, 1024, 2]);
  assertEquals([end.transmitted, end.received, end.corrupted, end.loss_percent], [2, 2, 0, 0]);
  assertEquals([end.messages, end.bytes, end.errors], [2, 2048, {}]);
  for (const ms of [first.time_ms, ...Object.values(end.latency_ms)]) {
    assertMatch(String(ms), /^(\d+(\.\d{1,3})?|null)$/, "no more digits than microseconds");
  }
  assert(end.latency_ms.min <= end.latency_ms.mean && end.latency_ms.mean <= end.latency_ms.max);
  assertEquals(end.latency_ms.p99, null);
});

Deno.test("ping --reconnect makes a connection for each message and shows its times apart", async () => {
  let connections = 0;
  const echo = mangled((piece) => piece);
  using server = peer((conn) => (connections++, echo(conn)));
  const { code, stdout } = await run(["ping", `:${server.port}`, "-c", "3", "-i", "1ms", "--reconnect"]);
  assertEquals([code, connections], [0, 3]);
  assertMatch(text(stdout), /seq=3 connect=\d+\.\d{3} echo=\d+\.\d{3} time=\d+\.\d{3} ms\n/);
});

const faults: [string, Mangle, RegExp][] = [
  ["a flipped byte", at(100, (byte) => [byte ^ 1]), /byte 100 came back changed: sent 0x/],
  ["a missing byte", at(100, () => []), /1 byte is missing at byte 100/],
  ["a doubled byte", at(100, (byte) => [byte, byte]), /byte 100 came back twice/],
  [
    "a foreign byte",
    at(100, (byte) => [byte ^ 255, byte]),
    /1 byte that was never sent stands before byte 100: 0x/,
  ],
];
for (const [what, mangle, says] of faults) {
  Deno.test(`ping names ${what} with its offset, goes on, and exits with 1`, async () => {
    using server = peer(mangled(mangle));
    await using ping = new ClientProcess("ping", `:${server.port}`, "-i", "20ms");
    await ping.out.with("seq=1 time=");
    await ping.out.with(new RegExp(`seq=2 corrupted: ${says.source}`));
    let seq = 3;
    while (!(await ping.out.with(`seq=${seq} `)).includes("time=")) seq++;
    ping.kill("SIGINT");
    assertEquals(await ping.ended(), 1);
    assertMatch(ping.out.all.join("\n"), /\n\d+ transmitted, \d+ received, \+\d+ corrupted, /);
  });
}

Deno.test("ping: no reply in time is a loss, and a deadline ends it with 1", async () => {
  using server = peer(async (conn) => {
    while (await conn.read(new Uint8Array(100)) !== null);
  });
  const { code, stdout } = await run(["ping", `:${server.port}`, "-c", "1", "-W", "50ms"]);
  assertEquals(code, 1);
  assertMatch(text(stdout), /seq=1 timeout: no reply within 50 ms, at byte 0\n/);
  const late = await run(["ping", `:${server.port}`, "-c", "100", "-i", "50ms", "-w", "300ms"]);
  assertEquals(late.code, 1);
  assertMatch(text(late.stdout), /\n\d transmitted, 0 received, 100% loss/);
});

Deno.test("ping goes on after the server comes back; Ctrl-C gives the summary", async () => {
  let server = await ServerProcess.start(["--drain", "100ms"]);
  const { port } = server;
  try {
    await using ping = new ClientProcess("ping", `:${port}`, "-i", "20ms");
    await ping.out.with("seq=2 time=");
    await server.stop();
    const lost = await ping.out.with(/seq=\d+ (refused|closed|reset)/);
    server = await ServerProcess.start([`127.0.0.1:${port}`]);
    let seq = Number(/seq=(\d+)/.exec(lost)![1]);
    while (!(await ping.out.with(`seq=${seq} `)).includes("time=")) seq++;
    ping.kill("SIGINT");
    assertEquals(await ping.ended(), 1, "a message was lost with its connection");
    assertMatch(ping.out.all.join("\n"), /\n\d+ transmitted, \d+ received, .*% loss, time/);
  } finally {
    await server[Symbol.asyncDispose]();
  }
});

Deno.test({
  name: "ping reaches a server of xinetd's kind (socat, a cat for each connection)",
  ignore: !has("socat"),
  async fn() {
    await using server = await socat();
    const { code, stdout } = await run(["ping", `:${server.port}`, "-c", "2", "-i", "1ms", "-s", "100k"]);
    assertEquals(code, 0, text(stdout));
  },
});

/** An echo of datagrams that sends each `copies(i)` times, the i-th changed as `change` says. */
function datagrams(answer: (bytes: Uint8Array, i: number) => Uint8Array[]): Disposable & { port: number } {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  (async () => {
    let i = 0;
    for await (const [bytes, from] of socket) {
      for (const reply of answer(bytes, ++i)) await socket.send(reply, from);
    }
  })().catch(() => {}); // it is closed at the end of the test
  return { port: (socket.addr as Deno.NetAddr).port, [Symbol.dispose]: () => socket.close() };
}

Deno.test("ping over UDP: a lost, a doubled and a changed datagram are told apart", async () => {
  using server = datagrams((bytes, i) => {
    if (i === 2) return [];
    if (i === 3) return [bytes, bytes];
    if (i === 4) return [bytes.map((byte, at) => at === 10 ? byte ^ 1 : byte)];
    return [bytes];
  });
  const { code, stdout } = await run([
    "ping",
    `udp://127.0.0.1:${server.port}`,
    ..."-c 5 -i 5ms -W 1500ms".split(" "),
  ]);
  assertEquals(code, 1);
  const out = text(stdout);
  assertMatch(out, /seq=1 time=/);
  assertMatch(out, /seq=2 timeout: /);
  assertMatch(out, /duplicate: datagram 3 came back twice/);
  assertMatch(out, /seq=4 corrupted: datagram 4: byte 10 came back changed: sent 0x/);
  assertMatch(out, /seq=5 time=/);
  assertMatch(out, /\n5 transmitted, 3 received, \+1 corrupted, \+1 duplicate, 40% loss/);
});

Deno.test("ping: a wrong command line is exit 2, before anything is opened", async () => {
  for (const words of ["-s 0", "-c 0", "-i -1", "-x", ":1 :2"]) {
    const { code, stderr } = await run(["ping", ...words.split(" ")]);
    assertEquals([code, stderr.trimEnd().split("\n").length], [2, 1], stderr);
  }
});

Deno.test("ping -q prints the summary alone, as text and as JSON", async () => {
  await using server = await ServerProcess.start();
  const words = ["ping", "-c", "2", "-i", "1ms", "-q", `:${server.port}`];
  const plain = await run(words);
  assertMatch(
    text(plain.stdout),
    /^\n--- tcp:.* ping statistics ---\n2 transmitted, 2 received, 0% loss/,
  );
  const json = await run([...words, "--json"]);
  assertEquals(JSON.parse(text(json.stdout)).received, 2);
});

Deno.test("SIGQUIT shows ping's figures so far on stderr, and it goes on", async () => {
  await using server = await ServerProcess.start();
  const [program = "", ...args] = [
    ...ECHO.filter((word) => word !== "serve"),
    ...onEngine(["ping", "-i", "20ms", `:${server.port}`]),
  ];
  const child = new Deno.Command(program, { args, cwd: ROOT, stdout: "piped", stderr: "piped" }).spawn();
  const out = new Lines(child.stdout);
  const told = new Lines(child.stderr);
  await out.with("seq=2 ");
  child.kill("SIGQUIT");
  const line = await told.with("transmitted");
  const counts =
    /^\d+ transmitted, \d+ received, (\d+ still on the way, )?0% loss, time .*, rtt min\/avg\/max\/mdev = .* ms$/;
  assertMatch(line, counts);
  const seen = out.all.length;
  await out.with(new RegExp(`seq=${seen + 3} `));
  child.kill("SIGINT");
  assertEquals((await child.status).code, 0);
  await Promise.all([out.ended, told.ended]);
});
