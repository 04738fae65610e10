/** Faults on purpose, a table of them by command: each is named rightly, counted once, with its place, and costs the exit code. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createServer, type Socket } from "node:net";
import { Messages, randomBlock } from "../net/messages.ts";
import { run } from "./helpers.ts";

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

/** An honest echo server but for its first connection, where `answer` makes what comes back of a piece. */
async function faulty(
  answer: (piece: number[], offset: number) => Answer,
  tail: readonly number[] = [],
): Promise<AsyncDisposable & { readonly port: number }> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    const first = connections++ === 0;
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
  ...[[0, 1], [MIDDLE, 1], [MIDDLE, 3], [LAST, 1], [TOTAL - 1, 1]].map(([at = 0, n = 0]): Row => ({
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
  ...[[MIDDLE, 1], [MIDDLE, 5], [LAST, 1], [3 * SIZE, SIZE], [TOTAL - SIZE, SIZE], [TOTAL - 1, 1]].map((
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

const lines = (bytes: Uint8Array) => decoder.decode(bytes).trimEnd().split("\n");

async function connectTells({ answer, tail, connect, says }: Row): Promise<void> {
  if (connect === null) return;
  await using server = await faulty(answer(COUNT), tail);
  const { code, stderr } = await run(["connect", `:${server.port}`, "--timeout", "400ms"], {
    stdin: sent.slice(0, TOTAL),
  });
  assertStringIncludes(stderr, connect ?? says(COUNT));
  assertEquals([code, stderr.trimEnd().split("\n").length], [1, 1], stderr);
}

async function pingTells({ answer, tail, kind, says, calm }: Row): Promise<void> {
  const count = calm ? 4 : COUNT;
  await using server = await faulty(answer(1), tail);
  const words = `ping :${server.port} -c ${count} -i ${calm ? 100 : 4}ms -W 400ms --json`.split(" ");
  const { code, stdout } = await run(words);
  const objects = lines(stdout).map((line) => JSON.parse(line));
  const end = objects.pop();
  const faults = objects.filter(({ error }) => error !== undefined);
  assertEquals(faults.map(({ error }) => error), [kind], decoder.decode(stdout));
  assertStringIncludes(faults[0].reason, says(1));
  assertEquals(end.errors, { [kind]: 1 });
  const wrong = kind === "corrupted" || kind === "surplus";
  assertEquals(code, wrong ? 1 : 0); // as ping(8): a loss alone is no failure
  assertEquals(end.transmitted, end.received + end.lost + end.unfinished);
  const told = new Set(objects.map(({ seq }) => seq).filter((seq) => seq !== undefined));
  assertEquals(told.size, count, "each message is told of");
}

async function benchTells({ answer, tail, kind, says }: Row, window: number, words: string): Promise<void> {
  await using server = await faulty(answer(window), tail);
  const { code, stdout, stderr } = await run(
    ["bench", `:${server.port}`, "-s", String(SIZE), "--timeout", "400ms", ...words.split(" ")],
  );
  const text = decoder.decode(stdout);
  assertMatch(text, new RegExp(`\\n +errors +1\\n +${kind} +1\\n`), text + stderr);
  assertStringIncludes(text.replaceAll(/\s+/g, " "), says(window));
  assertEquals(code, 1);
}

for (const row of rows) {
  Deno.test(`${row.what}: named with its place, once, by connect, ping and bench`, async () => {
    await Promise.all([
      connectTells(row),
      pingTells(row),
      benchTells(row, 1, `-n ${COUNT}`),
      benchTells(row, 4, `-n ${COUNT} --pipeline 4`),
      benchTells(row, 1, row.calm ? "-n 4 --rate 10" : `-n ${COUNT} --rate 200`),
    ]);
  });
}
