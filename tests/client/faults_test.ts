/** What `echo connect` must survive: the client's cases of the fault list, under the numbers that they have there. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  ECHO,
  noise,
  onEngine,
  peer,
  readUpTo,
  ROOT,
  run,
  ServerProcess,
  within,
  writeAll,
} from "../support/helpers.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The command line of `echo WORDS`. */
const command = (...words: string[]) => [...ECHO.filter((word) => word !== "serve"), ...onEngine(words)];

const lines = (text: string) => text.split("\n").filter((line) => line !== "");

/** Ends with 1 and says why in one line. */
function assertFailure({ code, stderr }: { code: number; stderr: string }, why: string | RegExp): void {
  assertMatch(stderr, why instanceof RegExp ? why : new RegExp(why.replaceAll(/[()[\]{}.?*+|\\]/g, "\\$&")));
  assertEquals(lines(stderr).length, 1, stderr);
  assertEquals(code, 1, stderr);
}

/** A client whose pipes the test holds itself. */
class Client implements AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly stdout: ReadableStreamDefaultReader<Uint8Array>;
  readonly stderr: Promise<string>;

  constructor(...words: string[]) {
    const [program = "", ...args] = command("connect", ...words);
    this.process = new Deno.Command(program, {
      args,
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.stdin = this.process.stdin.getWriter();
    this.stdout = this.process.stdout.getReader();
    this.stderr = new Response(this.process.stderr).text();
  }

  async send(text: string): Promise<void> {
    await this.stdin.write(encoder.encode(text));
  }

  /** Reads `n` bytes of what it prints, or what there is before the end. */
  async read(n: number): Promise<string> {
    let text = "";
    while (text.length < n) {
      const { value, done } = await within(5000, `${n} bytes on stdout`, this.stdout.read());
      if (done) break;
      text += decoder.decode(value);
    }
    return text;
  }

  async end(): Promise<{ code: number; stderr: string }> {
    const { code } = await within(10_000, "the end of the client", this.process.status);
    return { code, stderr: await this.stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.process.kill("SIGKILL");
    } catch { /* it has ended */ }
    await this.stdin.close().catch(() => {});
    await this.stdout.cancel().catch(() => {});
    await this.process.status;
    await this.stderr;
  }
}

/** A server that echoes what `change` makes of all that one connection sends. */
function changing(change: (bytes: Uint8Array) => Uint8Array, n: number): ReturnType<typeof peer> {
  return peer(async (conn) => {
    await writeAll(conn, change(await readUpTo(conn, n)));
    await conn.closeWrite();
    while (await conn.read(new Uint8Array(1024)) !== null);
  });
}

/** An honest server that never reads while it writes. */
const strict = () =>
  peer(async (conn) => {
    const buffer = new Uint8Array(64 << 10);
    for (;;) {
      const n = await conn.read(buffer);
      if (n === null) break;
      await writeAll(conn, buffer.subarray(0, n));
    }
    await conn.closeWrite();
  });

Deno.test("fault 18: a reply that comes a byte at a time is taken for the one line that it is", async () => {
  using server = peer(async (conn) => {
    conn.setNoDelay(true);
    const bytes = await readUpTo(conn, 13);
    for (let i = 0; i < bytes.length; i++) {
      await writeAll(conn, bytes.subarray(i, i + 1));
      await new Promise((resolve) => setTimeout(resolve, 2)); // apart, so that they arrive apart
    }
    await conn.closeWrite();
  });
  const { code, stdout, stderr } = await run(["connect", `:${server.port}`, "byte", "by", "byte"]);
  assertEquals(decoder.decode(stdout), "byte by byte\n");
  assertEquals(code, 0, stderr);
});

Deno.test("fault 19: a reply of 1,024 bytes is shown exactly", async () => {
  await using server = await ServerProcess.start();
  for (const n of [1023, 1024, 1025]) {
    const message = "0123456789abcdef".repeat(65).slice(0, n - 1);
    const { code, stdout } = await run(["connect", `:${server.port}`, message]);
    assertEquals(decoder.decode(stdout), `${message}\n`);
    assertEquals(code, 0);
  }
});

Deno.test("fault 20: what follows a NUL comes back too", async () => {
  await using server = await ServerProcess.start();
  const { code, stdout } = await run(["connect", `:${server.port}`], { stdin: "ab\0cd" });
  assertEquals(decoder.decode(stdout), "ab\0cd");
  assertEquals(code, 0);
});

Deno.test("fault 21: a server that closes in mid-stream is a message and an exit 1, not a death by SIGPIPE", async () => {
  using server = peer(async (conn) => void await readUpTo(conn, 1000)); // closes over unread data: RST
  const result = await run(["connect", `:${server.port}`], { stdin: new Uint8Array(20 << 20) });
  assertFailure(result, /^echo: .*(closed|reset).* of \d+ bytes came back\)/);
});

Deno.test("fault 21: a server that closes while the input is silent is told at once", async () => {
  using server = peer(async (conn) => await writeAll(conn, await readUpTo(conn, 3)));
  await using client = new Client(`:${server.port}`);
  await client.send("abc");
  assertEquals(await client.read(3), "abc");
  assertFailure(await client.end(), "echo: the other end closed the connection (3 of 3 bytes came back)");
});

Deno.test("fault 22: closed before all came back is an exit 1 with how much did", async () => {
  using server = changing((bytes) => bytes.subarray(0, 4), 10);
  const result = await run(["connect", `:${server.port}`], { stdin: "0123456789" });
  assertFailure(result, "the other end closed the connection (4 of 10 bytes came back)");
  assertEquals(decoder.decode(result.stdout), "0123");
});

Deno.test("fault 22: a server that says nothing and closes is an exit 1", async () => {
  using server = peer(async (conn) => void await readUpTo(conn, 6));
  const result = await run(["connect", `:${server.port}`, "hello"]);
  assertFailure(result, "(0 of 6 bytes came back)");
});

Deno.test("fault 22: a reset is an exit 1 that names the address", async () => {
  await using server = await ServerProcess.start();
  server.kill("SIGSTOP");
  await using client = new Client(`:${server.port}`);
  await client.send("unread");
  await socketState(`0100007F:${hexPort(server.port)} [0-9A-F]{8}:[0-9A-F]{4} 01 [0-9A-F]{8}:00000006`);
  server.kill("SIGKILL"); // the kernel closes it over what was not read
  const why = "connection reset by the other end (0 of 6 bytes came back)";
  assertFailure(await client.end(), `cannot receive from tcp://127.0.0.1:${server.port}: ${why}`);
});

Deno.test("fault 23: a flipped byte is an exit 1 with its offset and both bytes", async () => {
  using server = changing((bytes) => bytes.map((byte, i) => i === 7 ? byte ^ 0xff : byte), 12);
  const result = await run(["connect", `:${server.port}`, "hello world"]);
  assertFailure(result, "byte 7 came back changed: sent 0x6f, received 0x90");
});

Deno.test("fault 23: a flipped byte far into a stream is found where it is", async () => {
  const data = noise(3 << 20, 23);
  const at = 2_345_678;
  const hex = (byte: number) => `0x${byte.toString(16).padStart(2, "0")}`;
  using server = changing((bytes) => bytes.map((byte, i) => i === at ? byte ^ 1 : byte), data.length);
  const result = await run(["connect", `:${server.port}`], { stdin: data });
  assertFailure(
    result,
    `byte ${at} came back changed: sent ${hex(data[at]!)}, received ${hex(data[at]! ^ 1)}`,
  );
});

Deno.test("fault 23: a missing byte is an exit 1 with its offset", async () => {
  using middle = changing((bytes) => bytes.filter((_, i) => i !== 3), 10);
  const inside = await run(["connect", `:${middle.port}`], { stdin: "0123456789" });
  assertFailure(inside, "1 byte is missing at byte 3");
  using end = changing((bytes) => bytes.subarray(0, 9), 10);
  const last = await run(["connect", `:${end.port}`], { stdin: "0123456789" });
  assertFailure(last, "the other end closed the connection (9 of 10 bytes came back)");
});

Deno.test("fault 23: an extra byte is an exit 1 with its offset, also when all else came back", async () => {
  using server = changing((bytes) => new Uint8Array([...bytes, 0x21]), 6);
  const message = await run(["connect", `:${server.port}`, "hello"]);
  assertFailure(message, "1 byte came that nobody had sent, at byte 6: 0x21");
  const piped = await run(["connect", `:${server.port}`], { stdin: "hello\n" });
  assertFailure(piped, "1 byte came that nobody had sent, at byte 6: 0x21");
});

Deno.test("fault 23: a server that talks first is an exit 1", async () => {
  using server = peer(async (conn) => {
    await writeAll(conn, encoder.encode("220 welcome\r\n"));
    await readUpTo(conn, 100);
  });
  const result = await run(["connect", `:${server.port}`, "hello"]);
  assertFailure(result, `this is no echo server: it says "220 welcome"`);
});

/** A port where the system answers no more connects: its backlog is full and nobody accepts. */
async function blackHole(): Promise<AsyncDisposable & { readonly port: number }> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const open: Deno.Conn[] = [];
  for (let full = false; !full;) {
    const pending = Deno.connect({ port: listener.addr.port, signal: AbortSignal.timeout(300) });
    await pending.then((conn) => open.push(conn), () => full = true);
  }
  return {
    port: listener.addr.port,
    [Symbol.asyncDispose]() {
      for (const conn of open) conn.close();
      listener.close();
      return Promise.resolve();
    },
  };
}

/** That the timeout of 1 s was kept: not before, and at most half a second after, a start of the process aside. */
async function assertOnTime(took: number): Promise<void> {
  const { took: start } = await run(["--version"]);
  assert(took > 1000, `after ${took} ms: too early`);
  assert(took - start < 1500, `after ${took} ms, of which ${start} ms is the start: too late`);
}

Deno.test("fault 24: a black hole is an exit 1 at the timeout", async () => {
  await using hole = await blackHole();
  const result = await run(["connect", "--timeout", "1s", `:${hole.port}`, "hello"]);
  assertFailure(result, `cannot connect to tcp://127.0.0.1:${hole.port}: no answer within 1 s`);
  await assertOnTime(result.took);
});

Deno.test("fault 24: a server that is stopped is an exit 1 at the timeout, however much is sent", async () => {
  await using server = await ServerProcess.start();
  server.kill("SIGSTOP");
  const [message, pipe] = await Promise.all([
    run(["connect", "--timeout", "1s", `:${server.port}`, "hello"]),
    run(["connect", "--timeout", "1s", `:${server.port}`], { stdin: new Uint8Array(30 << 20) }),
  ]);
  server.kill("SIGCONT");
  const silence = `no reply from tcp://127.0.0.1:${server.port} for 1 s`;
  assertFailure(message, `${silence} (0 of 6 bytes came back)`);
  assertFailure(pipe, silence);
  await assertOnTime(message.took);
});

Deno.test("fault 24: input that keeps trickling in does not put the timeout off", async () => {
  const silent = Promise.withResolvers<void>();
  using server = peer(() => silent.promise); // reads nothing: the kernel takes what is sent
  await using client = new Client("--timeout", "1s", `:${server.port}`);
  const trickle = setInterval(() => client.send("drip\n").catch(() => {}), 50);
  try {
    assertFailure(await client.end(), "no reply from");
  } finally {
    clearInterval(trickle);
    silent.resolve();
  }
});

Deno.test("fault 24: a slow transfer that makes progress is not a timeout", async () => {
  using server = peer(async (conn) => {
    const bytes = await readUpTo(conn, 10);
    for (let i = 0; i < bytes.length; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100)); // 1 s in all, against a timeout of 600 ms
      await writeAll(conn, bytes.subarray(i, i + 1));
    }
    await conn.closeWrite();
  });
  const { code, stdout, stderr } = await run(["connect", "--timeout", "600ms", `:${server.port}`], {
    stdin: "0123456789",
  });
  assertEquals(decoder.decode(stdout), "0123456789");
  assertEquals(code, 0, stderr);
});

Deno.test("fault 25: in a pipe `exit` is data", async () => {
  await using server = await ServerProcess.start();
  const { code, stdout } = await run(["connect", `:${server.port}`], { stdin: "one\nexit\ntwo\n" });
  assertEquals(decoder.decode(stdout), "one\nexit\ntwo\n");
  assertEquals(code, 0);
});

Deno.test("fault 26: a line of 100 kB comes back whole", async () => {
  await using server = await ServerProcess.start();
  const line = "line ".repeat(20_000);
  const message = await run(["connect", `:${server.port}`, line]);
  assertEquals(decoder.decode(message.stdout), `${line}\n`);
  assertEquals(message.code, 0);
  const piped = await run(["connect", `:${server.port}`], { stdin: line });
  assertEquals(decoder.decode(piped.stdout), line);
  assertEquals(piped.code, 0);
});

Deno.test("fault 27: a name that does not resolve is a clear error", async () => {
  const result = await run(["connect", "--timeout", "2s", "no-such-host.invalid", "hello"]);
  assertFailure(
    result,
    /^echo: cannot connect to tcp:\/\/no-such-host\.invalid:8890: (the name does not|no answer)/,
  );
});

Deno.test("fault 27: a host that cannot be one is refused before anything is opened", async () => {
  for (const host of ["300.0.0.1", "127.1", "a..b", "-host", "host name"]) {
    const { code, stderr } = await run(["connect", "--", host, "hello"]);
    assertStringIncludes(stderr, "is neither an IP address nor a host name");
    assertEquals(lines(stderr).length, 1);
    assertEquals(code, 2);
  }
});

Deno.test("fault 27: nobody listens there, in words", async () => {
  const { port } = freePort();
  const result = await run(["connect", `:${port}`, "hello"]);
  assertFailure(
    result,
    `echo: cannot connect to tcp://127.0.0.1:${port}: connection refused; nothing listens there`,
  );
});

Deno.test("an empty stdin is a success without a byte", async () => {
  await using server = await ServerProcess.start();
  const { code, stdout, stderr } = await run(["connect", `:${server.port}`], { stdin: "" });
  assertEquals(stdout.length, 0);
  assertMatch(stderr, /^0 bytes there and back in [\d.]+ ms/);
  assertEquals(code, 0);
});

Deno.test("any bytes come back as they are, with and without a newline at the end", async () => {
  await using server = await ServerProcess.start();
  const every = Uint8Array.from({ length: 1024 }, (_, i) => i % 256);
  for (const bytes of [every, new Uint8Array(5000), encoder.encode("no newline"), encoder.encode("\n\n")]) {
    const { code, stdout } = await run(["connect", `:${server.port}`], { stdin: bytes });
    assertEquals(stdout, bytes);
    assertEquals(code, 0);
  }
});

Deno.test("nothing but the echo reaches stdout, -q leaves stderr empty, and nothing is coloured", async () => {
  await using server = await ServerProcess.start();
  const loud = await run(["connect", `:${server.port}`], { stdin: "data\n" });
  assertEquals(decoder.decode(loud.stdout), "data\n");
  assertMatch(loud.stderr, /^5 bytes there and back in [\d.]+ ms \([\d.]+ [kM]?B?(bytes)?\/s\)\n$/);
  const quiet = await run(["connect", "-q", `:${server.port}`], { stdin: "data\n" });
  assertEquals(decoder.decode(quiet.stdout), "data\n");
  assertEquals(quiet.stderr, "");
});

Deno.test("`| head -1` ends it quietly", async () => {
  await using server = await ServerProcess.start();
  const script = '{ yes | "$@"; echo "code $?" >&2; } | head -1';
  const shell = new Deno.Command("sh", {
    cwd: ROOT,
    args: ["-c", script, "sh", ...command("connect", `:${server.port}`)],
    stdout: "piped",
    stderr: "piped",
  });
  const { stdout, stderr } = await within(10_000, "the end of the pipe", shell.output());
  assertEquals(decoder.decode(stdout), "y\n");
  assertEquals(decoder.decode(stderr), "code 0\n");
});

Deno.test("stdout that cannot be written is one line and an exit 1", async () => {
  await using server = await ServerProcess.start();
  const script = 'echo hello | "$@" > /dev/full';
  const shell = new Deno.Command("sh", {
    cwd: ROOT,
    args: ["-c", script, "sh", ...command("connect", `:${server.port}`)],
  });
  const { code, stderr } = await within(10_000, "the end of the client", shell.output());
  assertFailure(
    { code, stderr: decoder.decode(stderr) },
    "echo: cannot write to stdout: the disk is full",
  );
});

Deno.test("stdin that cannot be read is one line and an exit 1", async () => {
  await using server = await ServerProcess.start();
  const shell = new Deno.Command("sh", {
    cwd: ROOT,
    args: ["-c", '"$@" < /', "sh", ...command("connect", `:${server.port}`)],
  });
  const { code, stderr } = await within(10_000, "the end of the client", shell.output());
  assertFailure({ code, stderr: decoder.decode(stderr) }, "echo: cannot read stdin: Is a directory");
});

Deno.test("an empty message is a message: its newline comes back", async () => {
  await using server = await ServerProcess.start();
  const { code, stdout } = await run(["connect", `:${server.port}`, ""]);
  assertEquals(decoder.decode(stdout), "\n");
  assertEquals(code, 0);
});

Deno.test("stderr that cannot be written or is closed does no harm", async () => {
  await using server = await ServerProcess.start();
  for (const redirection of ["2> /dev/full", "2>&-"]) {
    const script = `echo hello | "$@" ${redirection}`;
    const shell = new Deno.Command("sh", {
      cwd: ROOT,
      args: ["-c", script, "sh", ...command("connect", `:${server.port}`)],
    });
    const { code, stdout } = await within(10_000, "the end of the client", shell.output());
    assertEquals(decoder.decode(stdout), "hello\n");
    assertEquals(code, 0);
  }
});

Deno.test("200 MB go through a pipe, compared, in constant memory", async () => {
  await using server = await ServerProcess.start();
  await using client = new Client(`:${server.port}`);
  const piece = noise(1 << 20, 300);
  const total = 200 * piece.length;
  const feeding = (async () => {
    for (let at = 0; at < total; at += piece.length) await client.stdin.write(piece);
  })();
  let at = 0;
  while (at < total) {
    const { value, done } = await within(20_000, "more of the echo", client.stdout.read());
    if (done) break;
    for (let i = 0; i < value.length;) {
      const offset = (at + i) % piece.length;
      const part = value.subarray(i, i + piece.length - offset);
      assert(same(part, piece.subarray(offset, offset + part.length)), `different near byte ${at + i}`);
      i += part.length;
    }
    at += value.length;
  }
  await feeding;
  const peak = Number(
    /VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${client.process.pid}/status`))![1],
  );
  await client.stdin.close();
  assertEquals(at, total);
  const { code, stderr } = await client.end();
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "209.7 MB there and back");
  assert(peak < 150 << 10, `the peak of its memory is ${peak} kB`);
});

Deno.test("both directions at once cannot deadlock: 30 MB through a server that never reads while it writes", async () => {
  using server = strict();
  const data = noise(30 << 20, 30);
  const { code, stdout, stderr } = await run(["connect", `:${server.port}`], { stdin: data });
  assert(same(stdout, data));
  assertEquals(code, 0, stderr);
});

Deno.test("the end of stdin is a half-close: what the server sends after it still arrives", async () => {
  using server = peer(async (conn) => {
    let all = "";
    const buffer = new Uint8Array(100);
    for (let n; (n = await conn.read(buffer)) !== null;) all += decoder.decode(buffer.subarray(0, n));
    await writeAll(conn, encoder.encode(all)); // only now, when the input has ended
    await conn.closeWrite();
  });
  const { code, stdout, stderr } = await run(["connect", `:${server.port}`], { stdin: "to the end" });
  assertEquals(decoder.decode(stdout), "to the end");
  assertEquals(code, 0, stderr);
});

Deno.test("a server that does not close after our half-close is noted, and no failure", async () => {
  const end = Promise.withResolvers<void>();
  using server = peer(async (conn) => {
    await writeAll(conn, await readUpTo(conn, 6));
    await end.promise;
  });
  const { code, stdout, stderr } = await run(["connect", `:${server.port}`, "hello"]);
  end.resolve();
  assertEquals(decoder.decode(stdout), "hello\n");
  assertStringIncludes(stderr, "the other end keeps the connection open");
  assertEquals(code, 0);
});

function freePort(): { port: number } {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return { port: listener.addr.port };
}

Deno.test("--retry waits for a server that starts later", async () => {
  const { port } = freePort();
  await using client = new Client("--retry", "20s", `:${port}`, "are you up?");
  // The sign that it has tried: another one, started after it and without --retry, has failed.
  const impatient = await run(["connect", `:${port}`, "are you up?"]);
  assertFailure(impatient, "connection refused");
  await using _server = await ServerProcess.start([`127.0.0.1:${port}`]);
  assertEquals(await client.read(12), "are you up?\n");
  const { code, stderr } = await client.end();
  assertMatch(
    stderr,
    new RegExp(`^waiting for tcp://127\\.0\\.0\\.1:${port}, for at most 20 s\\n12 bytes `),
  );
  assertEquals(code, 0);
});

Deno.test("--retry has an end, with the reason of the last try", async () => {
  const { port } = freePort();
  const { code, stderr, took } = await run(["connect", "--retry", "400ms", `:${port}`, "hello"]);
  assertStringIncludes(stderr, "connection refused");
  assertEquals(code, 1);
  assert(took > 250, `after ${took} ms`);
});

Deno.test("a signal ends the wait for a server", async () => {
  await using hole = await blackHole();
  await using client = new Client("--timeout", "30s", `:${hole.port}`, "hello");
  await socketState(`0100007F:${hexPort(hole.port)} 02 `);
  client.process.kill("SIGTERM");
  assertFailure(await client.end(), `cannot connect to tcp://127.0.0.1:${hole.port}: interrupted by SIGTERM`);
});

/** Waits until /proc/net/tcp has a socket like this: local, remote, state (01 connected, 02 SYN sent), queues. */
async function socketState(pattern: string): Promise<void> {
  for (const end = performance.now() + 5000; performance.now() < end;) {
    if (new RegExp(pattern).test(Deno.readTextFileSync("/proc/net/tcp"))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`no socket like ${pattern} within 5 s`);
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
  Deno.test(`${signal} in a pipe ends the input: what was sent still comes back, exit 0`, async () => {
    await using server = await ServerProcess.start();
    await using client = new Client(`:${server.port}`);
    await client.send("before the signal\n");
    assertEquals(await client.read(18), "before the signal\n");
    client.process.kill(signal);
    const { code, stderr } = await client.end();
    assertEquals(code, 0, stderr);
    assertMatch(stderr, /^18 bytes there and back/);
  });
}

Deno.test("a signal ends the wait for the reply to a message, with how much came back", async () => {
  const received = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  using server = peer(async (conn) => {
    await readUpTo(conn, 6);
    received.resolve();
    await end.promise;
  });
  await using client = new Client("--timeout", "30s", `:${server.port}`, "hello");
  await within(5000, "the message", received.promise);
  client.process.kill("SIGINT");
  assertFailure(await client.end(), "echo: interrupted by SIGINT (0 of 6 bytes came back)");
  end.resolve();
});

Deno.test("a second signal in a pipe ends it at once, with 130", async () => {
  const received = Promise.withResolvers<string>();
  const halfClosed = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  using server = peer(async (conn) => {
    received.resolve(decoder.decode(await readUpTo(conn, 4)));
    if (await conn.read(new Uint8Array(1)) === null) halfClosed.resolve();
    await end.promise; // never an answer
  });
  await using client = new Client("--timeout", "30s", `:${server.port}`);
  await client.send("lost");
  assertEquals(await within(5000, "what was sent", received.promise), "lost");
  client.process.kill("SIGINT");
  await within(5000, "the half-close after the first signal", halfClosed.promise);
  await new Promise((resolve) => setTimeout(resolve, 600)); // sooner, it would count as the same wish
  client.process.kill("SIGINT");
  const { code, stderr } = await client.end();
  end.resolve();
  assertEquals(code, 130);
  assertEquals(stderr, "");
});

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
