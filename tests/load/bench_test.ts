import { assert, assertEquals, assertMatch } from "@std/assert";
import { HistogramLogReader } from "hdr-histogram-js";
import type { Result } from "../../measure/result.ts";
import { at, ClientProcess, mangled, socat } from "../support/client_process.ts";
import { has, peer, run, ServerProcess } from "../support/helpers.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const echo = mangled((piece) => piece);

async function bench(...words: string[]): Promise<{ code: number; result: Result; stderr: string }> {
  const { code, stdout, stderr } = await run(["bench", ...words, "--json"]);
  const [line = "", ...more] = text(stdout).trimEnd().split("\n");
  assertEquals(more, [], "one object and nothing else");
  return { code, result: JSON.parse(line), stderr };
}

Deno.test("bench sends as many messages as -n says, in every shape of load", async () => {
  let connections = 0;
  using server = peer((conn) => (connections++, echo(conn)));
  const shapes = [
    "",
    "-c 7",
    "-c 3 --pipeline 5",
    "-c 2 --rate 10k",
    "-c 4 --workers 3",
    "-c 4 --workers 3 --rate 10k",
    "-s 200k -c 2",
    "-s 1",
  ];
  const results = await Promise.all(
    shapes.map((shape) =>
      bench(`:${server.port}`, "-n", "500", ...shape.split(" ").filter((word) => word !== ""))
    ),
  );
  results.forEach(({ code, result, stderr }, i) => {
    assertEquals([code, result.messages, result.errors, stderr], [0, 500, {}, ""], shapes[i]);
    assertEquals(result.bytes, 500 * Number(result.options["size_bytes"]));
  });
  connections = 0;
  const { result } = await bench(`:${server.port}`, "-n", "50", "-c", "2", "--connect-rate");
  assertEquals([result.messages, connections], [50, 50]);
});

Deno.test("bench --json: every key that has a unit carries it, and the warm-up is left out", async () => {
  using server = peer(echo);
  const { code, result } = await bench(
    `:${server.port}`,
    "-d",
    "400ms",
    "--warmup",
    "100ms",
    "--rate",
    "1000",
  );
  assertEquals(code, 0);
  assertEquals(Object.keys(result), [
    "version",
    "target",
    "engine",
    "peers",
    "started",
    "duration_seconds",
    "options",
    "due",
    "sent",
    "received",
    "lost",
    "unfinished",
    "retransmits",
    "datagrams",
    "messages",
    "bytes",
    "messages_per_second",
    "bytes_per_second",
    "send_delay_ms",
    "client_cpu_percent",
    "latency_ms",
    "latency_distribution",
    "timeline",
    "errors",
    "warmup_errors",
    "warnings",
  ]);
  assert(Math.abs(result.messages - 400) <= 1, `${result.messages} messages`);
  assertEquals(Object.keys(result.latency_ms), ["min", "mean", "p50", "p90", "p99", "p99_9", "max"]);
  assertEquals(result.latency_ms.p99_9, null);
  assertEquals(result.timeline.reduce((sum, second) => sum + second.errors, 0), 0);
});

Deno.test("bench --rate sends what is due before the end, and no more", async () => {
  using server = peer(echo);
  const cases = [["10", "250ms", 3], ["70", "300ms", 21], ["1", "100ms", 1]] as const;
  const results = await Promise.all(
    cases.map(([rate, duration]) =>
      bench(`:${server.port}`, "--rate", rate, "-d", duration, "--warmup", "0s", "-c", "4")
    ),
  );
  assertEquals(results.map(({ result }) => result.messages), cases.map(([, , n]) => n));
});

Deno.test("bench names corrupted bytes, counts them, and exits with 1", async () => {
  using server = peer(mangled(at(6400, (byte) => [byte ^ 4])));
  const { code, stdout } = await run(["bench", `:${server.port}`, "-n", "150"]);
  assertEquals(code, 1);
  assertMatch(text(stdout), /\n +errors +1\n +corrupted +1\n/);
  assertMatch(text(stdout), /the first corrupted: byte 6400 came back changed: sent 0x/);
});

Deno.test("bench over UDP counts what is lost as timeouts", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  (async () => {
    let i = 0;
    for await (const [bytes, from] of socket) if (++i % 100 !== 0) await socket.send(bytes, from);
  })().catch(() => {}); // it is closed at the end of the test
  const words = [`udp://127.0.0.1:${port}`, "-n", "1000", "--timeout", "100ms", "--pipeline", "4"];
  const { code, result } = await bench(...words);
  socket.close();
  assertEquals([code, result.messages, result.errors], [1, 990, { timeout: 10 }]);
});

Deno.test({
  name: "bench loads a server of xinetd's kind (socat, a cat for each connection), over TCP and Unix sockets",
  ignore: !has("socat"),
  async fn() {
    await using server = await socat();
    const { code, result } = await bench(`:${server.port}`, "-n", "200", "-c", "4", "--pipeline", "3");
    assertEquals([code, result.messages], [0, 200]);
    const folder = Deno.makeTempDirSync();
    try {
      await using ours = await ServerProcess.start([`unix:${folder}/s`]);
      const unix = await bench(`unix:${folder}/s`, "-n", "200", "-c", "4");
      assertEquals([unix.code, unix.result.messages], [0, 200]);
      assertEquals(await ours.stop(), 0);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("bench --hdr, --report and --compare: the files agree with the figures", async () => {
  using server = peer(echo);
  const folder = Deno.makeTempDirSync();
  try {
    const old = await run(["bench", `:${server.port}`, "-n", "300", "--json", "--hdr", `${folder}/a.hlog`]);
    Deno.writeFileSync(`${folder}/old.json`, old.stdout);
    const reader = new HistogramLogReader(Deno.readTextFileSync(`${folder}/a.hlog`));
    let count = 0;
    for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) {
      count += next.totalCount;
    }
    assertEquals(count, 300);
    const words = ["--compare", `${folder}/old.json`, "--report", `${folder}/a.html`];
    const { code, stdout } = await run(["bench", `:${server.port}`, "-n", "400", ...words]);
    assertEquals(code, 0);
    assertMatch(text(stdout), /\n +old +new +change\n +messages +300 +400\n/);
    assertMatch(Deno.readTextFileSync(`${folder}/a.html`), /^<!doctype html>/i);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("bench: files that cannot be written at the end cost an error line, and not the result", async () => {
  const folder = Deno.makeTempDirSync();
  using server = peer((conn) => {
    Deno.removeSync(folder, { recursive: true }); // after they were checked
    return echo(conn);
  });
  const files = ["--hdr", `${folder}/a.hlog`, "--report", `${folder}/a.html`];
  const { code, result, stderr } = await bench(`:${server.port}`, "-n", "50", ...files);
  assertEquals([code, result.messages], [1, 50]);
  const why = (file: string) => `cannot write "${folder}/${file}": there is no such file or folder`;
  assertEquals(stderr, `echo: ${why("a.hlog")}; ${why("a.html")}\n`);
});

Deno.test("bench: files are written though nobody reads stdout, or it is full", async () => {
  using server = peer(echo);
  const folder = Deno.makeTempDirSync();
  try {
    for (const [n, [stdout, end]] of [["/dev/full", 1], [">(true)", 0]].entries()) {
      const words = ["bench", `:${server.port}`, "-n", "50", "--report", `${folder}/${n}.html`];
      const script = `exec > ${stdout}; exec "$@"`;
      const { code, stderr } = await run(words, { under: ["bash", "-c", script, "bash"] });
      assertEquals(code, end, stderr);
      assertMatch(stderr, end === 0 ? /^$/ : /^echo: cannot write to stdout: .*\n$/);
      assertMatch(Deno.readTextFileSync(`${folder}/${n}.html`), /<\/html>\n$/);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("bench --report /dev/stdout: the page follows the report", async () => {
  using server = peer(echo);
  for (const name of ["/dev/stdout", "/dev/fd/1"]) {
    const { code, stdout, stderr } = await run(["bench", `:${server.port}`, "-n", "50", "--report", name]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(text(stdout), /^tcp:[^]*\n +messages +50\n[^]*<!doctype html>[^]*<\/html>\n$/);
  }
});

Deno.test("bench: a wrong command line or file is exit 2, one line, before anything is opened", async () => {
  let connections = 0;
  using server = peer((conn) => (connections++, echo(conn)));
  const wrong = [
    "--rate 5 --pipeline 2",
    "--connect-rate --pipeline 2",
    "--workers 2",
    "--hdr /no/such/folder/a",
    "--report /",
    "--report /dev/full",
    "--compare /no/such/file",
    "--compare deno.json",
    "-s 0",
    "--rate 0",
  ];
  for (const words of wrong) {
    const { code, stdout, stderr } = await run(["bench", `:${server.port}`, ...words.split(" ")]);
    assertEquals(
      [code, text(stdout), stderr.trimEnd().split("\n").length],
      [2, "", 1],
      `${words}: ${stderr}`,
    );
  }
  assertEquals(connections, 0);
});

Deno.test("bench --pipeline over UDP takes as many datagrams as a socket holds, and more is exit 2", async () => {
  await using server = await ServerProcess.start(["udp://127.0.0.1:0"]);
  for (const [size, most] of [[64, 128], [1400, 46], [65_507, 1]] as const) {
    const words = [`udp://127.0.0.1:${server.port}`, "-s", `${size}`, "-n", "500", "--pipeline"];
    const { code, stderr } = await run(["bench", ...words, `${most + 1}`]);
    assertEquals(code, 2);
    assertMatch(stderr, new RegExp(`^echo: --pipeline ${most + 1}: .* try --pipeline ${most}, .*\\n`));
    const { result } = await bench(...words, `${most}`);
    assertEquals([result.received, result.errors], [500, {}]);
  }
});

Deno.test("bench: nobody listens: one line, exit 1", async () => {
  const { port } = (() => {
    using free = peer(() => Promise.resolve());
    return free;
  })();
  const { code, stdout, stderr } = await run(["bench", `:${port}`]);
  assertEquals([code, text(stdout)], [1, ""]);
  assertMatch(stderr, /^echo: cannot connect to tcp:\/\/127\.0\.0\.1:\d+: connection refused; .*\n$/);
});

Deno.test("bench: Ctrl-C ends the run and still gives the report", async () => {
  const arrived = Promise.withResolvers<void>();
  using server = peer(mangled((piece, offset) => {
    if (offset > 6400) arrived.resolve();
    return piece;
  }));
  await using client = new ClientProcess(
    "bench",
    `:${server.port}`,
    "-d",
    "10m",
    "--warmup",
    "1ms",
    "--json",
  );
  await arrived.promise;
  client.kill("SIGINT");
  assertEquals(await client.ended(), 0);
  assertEquals(client.err.all, []);
  const result = JSON.parse(client.out.all[0]!);
  assert(result.messages > 0 && result.duration_seconds < 60);
});

Deno.test("bench --rate shows a server that stops; the closed loop alone would not", async () => {
  const STOP_MS = 500;
  await using server = await ServerProcess.start();
  // Both at once, so that both meet the same stop. Of 3 s, 0.5 s are a sixth: p99 is well inside them.
  const open = bench(`:${server.port}`, "-c", "4", "-d", "3s", "--warmup", "0", "--rate", "500");
  const closed = bench(`:${server.port}`, "-d", "3s", "--warmup", "1ms");
  for (const client of [1, 2, 3, 4, 5]) await server.log.with(`"event":"message","client":${client},`);
  server.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, STOP_MS));
  server.kill("SIGCONT");
  const [byClock, byReply] = [(await open).result, (await closed).result];
  assert(byClock.latency_ms.p99! >= 0.8 * STOP_MS, `p99 by the clock is ${byClock.latency_ms.p99} ms`);
  // It met the stop with the one message that was on its way, which no percentile shows.
  assert(byReply.latency_ms.max! >= 0.8 * STOP_MS, `max of the closed loop is ${byReply.latency_ms.max} ms`);
  assert(byReply.latency_ms.p99! < 0.5 * STOP_MS, `p99 of the closed loop is ${byReply.latency_ms.p99} ms`);
});

Deno.test("bench with more connections than one turn of the loop serves starves none of them", async () => {
  await using server = await ServerProcess.start();
  const { result } = await bench(`:${server.port}`, "-c", "300", "-d", "1s", "--warmup", "200ms");
  // Little's law: rate times latency is how many messages are on their way. Starved ones would be missing.
  const busy = result.messages_per_second * result.latency_ms.mean! / 1000;
  assert(busy > 0.75 * 300, `${busy} of 300 connections were served`);
});
