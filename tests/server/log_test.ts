import { assert, assertEquals, assertMatch } from "@std/assert";
import { type EventName, EVENTS } from "../../server/events.ts";
import { LineWriter } from "../../server/line_writer.ts";
import { roundTrip, ServerProcess, within, writeAll } from "../support/helpers.ts";

const decoder = new TextDecoder();

/** A stream of the test's own: it takes `most` bytes a write, and only while it is open. */
class Sink {
  readonly pieces: string[] = [];
  most = Infinity;
  /** Bytes until its disk is full. */
  room = Infinity;
  #gate: PromiseWithResolvers<void> | undefined;
  #written = Promise.withResolvers<void>();
  failing = false;
  tries = 0;

  async write(bytes: Uint8Array): Promise<number> {
    this.tries++;
    await this.#gate?.promise;
    await Promise.resolve();
    if (this.failing) throw new Deno.errors.BrokenPipe("nobody reads");
    if (this.room === 0) throw new Error("no space left on device");
    const n = Math.min(bytes.length, this.most, this.room);
    this.room -= n;
    this.pieces.push(decoder.decode(bytes.subarray(0, n)));
    this.#written.resolve();
    return n;
  }

  /** From here on a write is stuck, until `open`. */
  stop(): void {
    this.#gate = Promise.withResolvers();
  }

  open(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  get text(): string {
    return this.pieces.join("");
  }
}

/** Until all is written, which must be long before this. */
const flushed = (writer: LineWriter) => within(5000, "the flush", writer.flush(4000));

Deno.test("lines of the same turn go out in one write, in order, and nothing is lost", async () => {
  const sink = new Sink();
  const writer = new LineWriter(sink);
  for (let i = 0; i < 1000; i++) writer.write(`line ${i}\n`);
  await flushed(writer);
  assertEquals(sink.pieces.length, 1);
  writer.write("later\n");
  await flushed(writer);
  assertEquals(sink.text, Array.from({ length: 1000 }, (_, i) => `line ${i}\n`).join("") + "later\n");
});

Deno.test("a stream that takes a few bytes at a time gets them all", async () => {
  const sink = new Sink();
  sink.most = 7;
  const writer = new LineWriter(sink);
  const text = "a line of 27 bytes\n".repeat(20);
  writer.write(text);
  await flushed(writer);
  assertEquals(sink.text, text);
});

Deno.test("lines that come during a write go out together after it", async () => {
  const sink = new Sink();
  const writer = new LineWriter(sink);
  sink.stop();
  writer.write("first\n");
  await Promise.resolve();
  await Promise.resolve();
  for (let i = 0; i < 100; i++) writer.write(`${i}\n`);
  sink.open();
  await flushed(writer);
  assertEquals(sink.pieces.length, 2);
  assertEquals(sink.pieces[0], "first\n");
});

Deno.test("a stream that is stuck costs bounded memory; what it lost is counted and said when it goes on", async () => {
  const sink = new Sink();
  const writer = new LineWriter(sink);
  writer.onDrop = (count) => `lost ${count}\n`;
  sink.stop();
  const line = "x".repeat(99) + "\n";
  const total = 100_000; // 10 MB, of which 1 MiB is kept besides what is stuck in the write
  writer.write(line);
  await Promise.resolve();
  await Promise.resolve();
  for (let i = 1; i < total; i++) writer.write(line);
  sink.open();
  await flushed(writer);
  const [, lost] = /^lost (\d+)$/m.exec(sink.text) ?? [];
  const kept = sink.text.split(line).length - 1;
  assertEquals(kept + Number(lost), total);
  assert(kept * line.length <= (1 << 20) + line.length, `${kept} lines were kept`);
  assert(kept * line.length > (1 << 20) - 2 * line.length, `only ${kept} lines were kept`);
  assertEquals(sink.text.match(/lost/g)!.length, 1);
  writer.write("as before\n");
  await flushed(writer);
  assertMatch(sink.text, /as before\n$/);
  assertEquals(sink.text.match(/lost/g)!.length, 1);
});

Deno.test("the flush of a stream that is stuck has an end", async () => {
  const sink = new Sink();
  const writer = new LineWriter(sink);
  sink.stop();
  writer.write("never\n");
  const begin = performance.now();
  await writer.flush(50);
  const took = performance.now() - begin;
  assert(took >= 45 && took < 1000, `${took} ms`);
  assertEquals(sink.text, "");
  sink.open();
  await flushed(writer);
});

Deno.test("a stream that fails does no harm and is not tried in a loop; it says what it lost once it works", async () => {
  const sink = new Sink();
  const writer = new LineWriter(sink);
  writer.onDrop = (count) => `lost ${count}\n`;
  sink.failing = true;
  for (const batch of [["1\n", "2\n"], ["3\n"]]) {
    for (const line of batch) writer.write(line);
    await flushed(writer);
  }
  assertEquals(sink.tries, 2);
  sink.failing = false;
  writer.write("4\n");
  await flushed(writer);
  assertEquals(sink.text, "4\nlost 3\n");
});

Deno.test("a disk that is full tears no line: its end comes when there is room, and only what is missing is counted", async () => {
  const sink = new Sink();
  const writer = new LineWriter(sink);
  writer.onDrop = (count) => `lost ${count}\n`;
  sink.room = 10;
  for (const line of ["first\n", "second\n", "third\n", "fourth\n"]) writer.write(line);
  await flushed(writer);
  assertEquals(sink.text, "first\nseco");
  writer.write("fifth\n");
  await flushed(writer);
  sink.room = 2;
  writer.write("sixth\n");
  await flushed(writer);
  assertEquals(sink.text, "first\nsecond");
  sink.room = Infinity;
  writer.write("seventh\n");
  await flushed(writer);
  assertEquals(sink.text, "first\nsecond\nseventh\nlost 4\n");
});

Deno.test("lines that come together, as those of a worker do, are counted one by one when they are dropped", async () => {
  const sink = new Sink();
  const writer = new LineWriter(sink);
  writer.onDrop = (count) => `lost ${count}\n`;
  sink.stop();
  writer.write("x".repeat((1 << 20) - 1) + "\n");
  writer.write("one\ntwo\nthree\n");
  sink.open();
  await flushed(writer);
  assertMatch(sink.text, /\nlost 3\n$/);
});

Deno.test("where it listens is said with -q too, with the port that was found and the fingerprint", async () => {
  await using server = await ServerProcess.start(["-q", "127.0.0.1:0", "tls://127.0.0.1:0"]);
  const [plain, secure] = server.log.events("listening");
  assertMatch(String(plain!["address"]), /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  assertMatch(String(secure!["fingerprint"]), /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello"), "hello");
  conn.close(); // else the stop waits for it
  await server.stop();
  assertEquals(server.log.all.length, 2, "and nothing else");
});

Deno.test("a client whose handshake fails is not among the served", async () => {
  await using server = await ServerProcess.start(["127.0.0.1:0", "tls://127.0.0.1:0"]);
  const secure = Number(/:(\d+)$/.exec(String(server.log.events("listening")[1]!["address"]))![1]);
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello"), "hello");
  using garbage = await Deno.connect({ hostname: "127.0.0.1", port: secure });
  await writeAll(garbage, new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  await server.log.with('"rejected"');
  conn.close(); // else the stop waits for it
  await server.stop();
  const { accepted, served, rejected } = server.log.events("stopped")[0]!;
  assertEquals([accepted, served, rejected], [2, 1, 1]);
});

Deno.test("one is said in the singular", () => {
  const { say } = EVENTS.stopped;
  const text = say({ duration_ms: 5, served: 1, datagrams: 1, bytes: 1, rejected: 1, refused: 0, failed: 0 });
  assertMatch(text, /: 1 client served, 1 datagram, 1 byte echoed, 1 rejected, 0 refused, 0 failed$/);
  assertMatch(EVENTS.dropped.say({ count: 1 }), /^1 log line was dropped:/);
  assertMatch(EVENTS.worker_died.say({ count: 1, reason: "" }), /, and 1 connection with it/);
});

Deno.test("every key of every line is in the table of events", async () => {
  await using server = await ServerProcess.start(["127.0.0.1:0", "tls://127.0.0.1:0", "--workers", "2"]);
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello"), "hello");
  server.kill("SIGUSR2");
  await server.log.with('"state"');
  conn.close();
  await server.stop();
  const seen = new Set<string>();
  for (const line of server.log.all) {
    const { time: _time, level: _level, event, ...fields } = JSON.parse(line);
    const keys: readonly string[] = EVENTS[event as EventName].keys;
    assertEquals(Object.keys(fields).filter((key) => !keys.includes(key)), [], line);
    seen.add(event);
  }
  for (const event of ["listening", "connected", "message", "state", "disconnected", "stopped"]) {
    assert(seen.has(event), `${event} was not written`);
  }
});
