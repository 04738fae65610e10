/** Faults on purpose, a table of them by command: each is named rightly, counted once, with its place, and costs the exit code. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createServer, type Socket } from "node:net";
import { Messages, randomBlock } from "../../probe/messages.ts";
import { mangled, pingJson } from "../support/client_process.ts";
import { peer, readUpTo, run, ServerProcess, writeAll } from "../support/helpers.ts";

const SIZE = 64;
const COUNT = 20;
const TOTAL = SIZE * COUNT;
const sent = new Messages(randomBlock(1), 0).message(0, TOTAL + SIZE);
const decoder = new TextDecoder();

/** What comes back in place of a piece, and what happens to the connection then. */
interface Answer {
  readonly bytes: readonly number[];
  readonly then?: "close" | "reset" | "silence";
}

/** An honest echo server but for its first connections, where `answer` makes what comes back of a piece. */
async function faulty(
  answer: (piece: number[], offset: number) => Answer,
  tail: readonly number[] = [],
  connectionsWithFault = 1,
): Promise<AsyncDisposable & { readonly port: number }> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    const first = connections++ < connectionsWithFault;
    let offset = 0;
    let over = false;
    socket.on("error", () => {});
    socket.on("data", (piece: Uint8Array) => {
      if (over) return;
      const { bytes, then } = first ? answer([...piece], offset) : { bytes: [...piece] };
      offset += piece.length;
      if (then !== undefined) over = true;
      const done = () => {
        if (then === "close") socket.end();
        if (then === "reset") socket.resetAndDestroy();
      };
      if (bytes.length === 0) done();
      else socket.write(Uint8Array.from(bytes), done);
    });
    socket.on("end", () => {
      if (!over) socket.end(Uint8Array.from(first ? tail : []));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Puts `change(bytes)` in place of the bytes from `at` up to `to` of the stream, wherever they are cut. */
function edit(at: number, to: number, change: (bytes: number[]) => number[]) {
  const held: number[] = [];
  return (piece: number[], offset: number): Answer => {
    const before = piece.filter((_, i) => offset + i < at);
    const within = piece.filter((_, i) => offset + i >= at && offset + i < to);
    const after = piece.filter((_, i) => offset + i >= to);
    held.push(...within);
    const complete = within.length > 0 && held.length === to - at;
    return { bytes: [...before, ...complete ? change(held) : [], ...after] };
  };
}

/** Up to `at` it echoes, and then this happens. */
function cut(at: number, then: Answer["then"]) {
  return (piece: number[], offset: number): Answer =>
    offset + piece.length > at ? { bytes: piece.slice(0, at - offset), then: then! } : { bytes: piece };
}

/** When the first `n` messages have arrived, they come back with the next one, which was not sent yet. */
function early(n: number) {
  const held: number[] = [];
  return (piece: number[], offset: number): Answer => {
    if (offset >= n * SIZE) return { bytes: piece };
    held.push(...piece);
    if (held.length < n * SIZE) return { bytes: [] };
    return { bytes: [...held, ...sent.subarray(n * SIZE, (n + 1) * SIZE)] };
  };
}

const hex = (from: number, to: number, change = 0) =>
  `0x${
    Array.from(sent.subarray(from, to), (byte) => (byte ^ change).toString(16).padStart(2, "0")).join("")
  }`;

/** In the middle of a message, and of the last one; no byte about them is equal to a neighbour. */
const MIDDLE = 3 * SIZE + 11;
const LAST = TOTAL - 20;
const flip = (at: number, n: number) => edit(at, at + n, (bytes) => bytes.map((byte) => byte ^ 0x80));
const drop = (at: number, n: number) => edit(at, at + n, () => []);
const double = (at: number, n: number) => edit(at, at + n, (bytes) => [...bytes, ...bytes]);
const insert = (at: number) => edit(at, at + 1, ([byte = 0]) => [byte ^ 0x55, byte ^ 0x33, byte]);
const honest = (piece: number[]): Answer => ({ bytes: piece });
const surplus = [1, 2, 3, 4, 5, 6, 7];

interface Row {
  readonly what: string;
  /** Of as many messages as are on their way at once. */
  readonly answer: (window: number) => (piece: number[], offset: number) => Answer;
  readonly tail?: readonly number[];
  readonly kind: string;
  readonly says: (window: number) => string;
  /** Where connect, which does not know what will be sent, says something else; null: it sees nothing wrong. */
  readonly connect?: string | null;
  /** Few messages, far apart, where it counts that the next one was not sent yet. */
  readonly calm?: boolean;
}

const changed = (at: number, n: number) =>
  `${n === 1 ? `byte ${at}` : `bytes ${at} to ${at + n - 1}`} came back changed: ` +
  `sent ${hex(at, at + n)}, received ${hex(at, at + n, 0x80)}`;

const rows: Row[] = [
  ...[[0, 1], [MIDDLE, 3], [TOTAL - 1, 1]].map(([at = 0, n = 0]): Row => ({
    what: `${n} flipped at byte ${at}`,
    answer: () => flip(at, n),
    kind: "corrupted",
    says: () => changed(at, n),
  })),
  ...[[MIDDLE, 1], [MIDDLE, 3], [LAST, 1]].map(([at = 0, n = 0]): Row => ({
    what: `${n} dropped at byte ${at}`,
    answer: () => drop(at, n),
    kind: "corrupted",
    says: () => `${n === 1 ? "1 byte is" : `${n} bytes are`} missing at byte ${at}`,
  })),
  ...[[MIDDLE, 1], [MIDDLE, 5], [3 * SIZE, SIZE], [TOTAL - 1, 1]].map((
    [at = 0, n = 0],
  ): Row => ({
    what: `${n} doubled at byte ${at}`,
    answer: () => double(at, n),
    kind: "corrupted",
    says: () => `${n === 1 ? `byte ${at}` : `bytes ${at} to ${at + n - 1}`} came back twice`,
  })),
  ...[MIDDLE, LAST].map((at): Row => ({
    what: `2 inserted before byte ${at}`,
    answer: () => insert(at),
    kind: "corrupted",
    says: () =>
      `2 bytes that were never sent stand before byte ${at}: ${hex(at, at + 1, 0x55)}${
        hex(at, at + 1, 0x33).slice(2)
      }`,
  })),
  {
    what: "7 surplus with the last reply",
    answer: () => edit(TOTAL - 1, TOTAL, (bytes) => [...bytes, ...surplus]),
    kind: "surplus",
    says: () => `7 bytes came that nobody had sent, at byte ${TOTAL}: 0x01020304050607`,
  },
  {
    what: "7 surplus at the very end",
    answer: () => honest,
    tail: surplus,
    kind: "surplus",
    says: () => `7 bytes came that nobody had sent, at byte ${TOTAL}: 0x01020304050607`,
  },
  {
    what: "an early answer",
    answer: early,
    kind: "surplus",
    says: (window) => `64 bytes came before they were sent, at byte ${window * SIZE}`,
    connect: null, // it has sent all of it
    calm: true,
  },
  {
    what: "a close in the middle",
    answer: () => cut(MIDDLE, "close"),
    kind: "closed",
    says: () => `the other end closed the connection, at byte ${MIDDLE}`,
    connect: `the other end closed the connection (${MIDDLE} of ${TOTAL} bytes came back)`,
  },
  {
    what: "a reset in the middle",
    answer: () => cut(MIDDLE, "reset"),
    kind: "reset",
    says: () => `connection reset by the other end, at byte ${MIDDLE}`,
    connect: `connection reset by the other end (${MIDDLE} of ${TOTAL} bytes came back)`,
  },
  {
    what: "silence",
    answer: () => cut(MIDDLE, "silence"),
    kind: "timeout",
    says: () => `, at byte ${MIDDLE}`,
    connect: `for 400 ms (${MIDDLE} of ${TOTAL} bytes came back)`,
  },
];

/** Only silence is to come to its timeout: a busy machine may hold up a reply for as long as that. */
const timeoutFor = ({ kind }: Row) => kind === "timeout" ? "400ms" : "10s";

const lines = (bytes: Uint8Array) => decoder.decode(bytes).trimEnd().split("\n");

async function connectTells(row: Row): Promise<void> {
  const { answer, tail, connect, says } = row;
  if (connect === null) return;
  await using server = await faulty(answer(COUNT), tail);
  const { code, stderr } = await run(["connect", `:${server.port}`, "--timeout", timeoutFor(row)], {
    stdin: sent.slice(0, TOTAL),
  });
  assertStringIncludes(stderr, connect ?? says(COUNT));
  assertEquals([code, stderr.trimEnd().split("\n").length], [1, 1], stderr);
}

async function pingTells(row: Row): Promise<void> {
  const { answer, tail, kind, says, calm } = row;
  const count = calm ? 4 : COUNT;
  await using server = await faulty(answer(1), tail);
  const words = `ping :${server.port} -c ${count} -i ${calm ? 100 : 4}ms -W ${timeoutFor(row)} --json`.split(
    " ",
  );
  const { code, stdout } = await run(words);
  const objects = lines(stdout).map((line) => JSON.parse(line));
  const end = objects.pop();
  const faults = objects.filter(({ error }) => error !== undefined);
  assertEquals(faults.map(({ error }) => error), [kind], decoder.decode(stdout));
  assertStringIncludes(faults[0].reason, says(1));
  assertEquals(end.errors, { [kind]: 1 });
  assertEquals(code, 1);
  assertEquals(end.transmitted, end.received + end.lost + end.unfinished);
  const told = new Set(objects.map(({ seq }) => seq).filter((seq) => seq !== undefined));
  assertEquals(told.size, count, "each message is told of");
}

async function benchTells(row: Row, window: number, words: string): Promise<void> {
  const { answer, tail, kind, says } = row;
  await using server = await faulty(answer(window), tail);
  const { code, stdout, stderr } = await run(
    ["bench", `:${server.port}`, "-s", String(SIZE), "--timeout", timeoutFor(row), ...words.split(" ")],
  );
  const text = decoder.decode(stdout);
  assertMatch(text, new RegExp(`\\n +errors +1\\n +${kind} +1\\n`), text + stderr);
  assertStringIncludes(text.replaceAll(/\s+/g, " "), says(window));
  assertEquals(code, 1);
}

/** Node's resetAndDestroy does nothing on Deno 2.7, and Deno's own close sends a FIN first. */
const RESETS = !Deno.version.deno.startsWith("2.7.");

for (const row of rows) {
  Deno.test({
    name: `${row.what}: named with its place, once, by connect, ping and bench`,
    ignore: row.kind === "reset" && !RESETS,
    async fn() {
      await Promise.all([
        connectTells(row),
        pingTells(row),
        benchTells(row, 1, `-n ${COUNT}`),
        benchTells(row, 4, `-n ${COUNT} --pipeline 4`),
        benchTells(row, 1, row.calm ? "-n 4 --rate 10" : `-n ${COUNT} --rate 200`),
      ]);
    },
  });
}

Deno.test("a fault in the warm-up is named and counted too, and costs the exit code", async () => {
  await Promise.all(
    ["--rate 100", "--pipeline 1"].map((pace) => benchTells(rows[1]!, 1, `--warmup 300ms -d 100ms ${pace}`)),
  );
});

Deno.test({
  name: "a connection that is reset when it was accepted is called reset, by connect, ping and bench",
  ignore: !RESETS,
  async fn() {
    await using server = await faulty(() => ({ bytes: [], then: "reset" }), [], Infinity);
    const commands = ["-c 10 -i 5ms --json", "-c 10 -i 5ms --json --reconnect"];
    for (const words of commands) {
      const { code, stdout } = await run(["ping", `:${server.port}`, ...words.split(" ")]);
      const { errors, lost } = JSON.parse(lines(stdout).at(-1)!);
      assertEquals([code, Object.keys(errors), lost], [1, ["reset"], 10]);
    }
    const bench = await run(["bench", `:${server.port}`, "-n", "4", "-c", "2", "--json"]);
    assertEquals(Object.keys(JSON.parse(decoder.decode(bench.stdout)).errors), ["reset"]);
    const { code, stderr } = await run(["connect", `:${server.port}`, "hello"]);
    assertMatch(
      stderr,
      /^echo: cannot [^:]+ .*: connection reset by the other end \(0 of 6 bytes came back\)\n$/,
    );
    assertEquals(code, 1);
  },
});

/** A server that says this to whatever comes, or at once where it `greets`. */
function speaker(says: string, greets: boolean): ReturnType<typeof peer> {
  const bytes = Uint8Array.from(says, (character) => character.charCodeAt(0));
  return peer(async (conn) => {
    if (greets) await writeAll(conn, bytes);
    await readUpTo(conn, 1);
    if (!greets) await writeAll(conn, bytes);
    await conn.closeWrite();
    await readUpTo(conn, 1 << 20);
  });
}

const others: [what: string, greets: boolean, says: string, told: string][] = [
  ["SSH", true, "SSH-2.0-OpenSSH_9.6\r\n", 'this is no echo server: it says "SSH-2.0-OpenSSH_9.6"'],
  [
    "HTTP",
    false,
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    'this is no echo server: it says "HTTP/1.1 400 Bad Request"',
  ],
  ["SMTP", true, "220 \x1b[31mmail\r\n", 'this is no echo server: it says "220 \\x1b[31mmail"'],
  [
    "TLS",
    false,
    "\x15\x03\x03\x00\x02\x02\x32",
    "the other end speaks TLS: try tls:// in front of the address",
  ],
];
for (const [what, greets, says, told] of others) {
  Deno.test(`a server of ${what} is called what it is, by connect, ping and bench`, async () => {
    using server = speaker(says, greets);
    const [connect, ping, bench] = await Promise.all([
      run(["connect", `:${server.port}`, "hello"]),
      run(["ping", `:${server.port}`, "-c", "1"]),
      run(["bench", `:${server.port}`, "-n", "1"]),
    ]);
    assertEquals(connect.stderr, `echo: ${told}\n`);
    assertStringIncludes(decoder.decode(ping.stdout), `seq=1 corrupted: ${told}\n`);
    assertStringIncludes(
      decoder.decode(bench.stdout).replaceAll(/\s+/g, " "),
      `the first corrupted: ${told} `,
    );
    assertEquals([connect.code, ping.code, bench.code], [1, 1, 1]);
  });
}

Deno.test("a TLS client at an echo server without TLS is told so", async () => {
  using server = peer(mangled((piece) => piece));
  for (const words of ["connect tls://127.0.0.1:PORT hello", "ping tls://127.0.0.1:PORT -c 1"]) {
    const { code, stderr } = await run(words.replace("PORT", String(server.port)).split(" "));
    assertStringIncludes(stderr, "TLS: the other end is an echo server without TLS: try tcp://\n");
    assertEquals(code, 1);
  }
});

Deno.test("ping with messages too large to be sent within the interval sends and gets them all", async () => {
  using server = peer(mangled((piece) => piece));
  const { code, end } = await pingJson(`:${server.port} -s 10M -c 20 -i 1ms`);
  assertEquals([code, end.transmitted, end.received, end.lost, end.errors], [0, 20, 20, 0, {}]);
});

Deno.test("ping tells when the other end closed a quiet connection, and of the new one", async () => {
  await using server = await ServerProcess.start(["--idle-timeout", "200ms"]);
  const words = `ping :${server.port} -c 2 -i 700ms`;
  const [text, { code, objects, end }] = await Promise.all([
    run(words.split(" ")),
    pingJson(words.slice("ping ".length)),
  ]);
  const peer = `127.0.0.1:${server.port}`;
  assertStringIncludes(
    decoder.decode(text.stdout),
    `from ${peer}: closed: the other end closed the connection, at byte 64\nto ${peer}: a new connection was made for seq=2\n`,
  );
  assertEquals(objects.slice(1, 3), [
    { error: "closed", reason: "the other end closed the connection, at byte 64" },
    { seq: 2, new_connection: true },
  ]);
  assertEquals([code, end.received, end.lost, end.errors], [0, 2, 0, { closed: 1 }]);
});

Deno.test("a server that sends everything twice is no success, whenever the second copy comes", async () => {
  for (const late of [false, true]) {
    using server = peer(async (conn) => {
      const bytes = await readUpTo(conn, 64);
      await writeAll(conn, late ? bytes : new Uint8Array([...bytes, ...bytes]));
      if (late) {
        await readUpTo(conn, 64); // until our half-close
        await writeAll(conn, bytes);
      }
    });
    const { code, objects, end } = await pingJson(`:${server.port} -c 1`);
    assertEquals(objects.at(-1), { error: "corrupted", reason: "bytes 0 to 63 came back twice" });
    assertEquals([code, end.received, end.lost, end.errors], [1, 1, 0, { corrupted: 1 }]);
  }
});
