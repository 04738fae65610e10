import { assert, assertEquals, assertMatch } from "@std/assert";
import { LineWriter } from "../../server/line_writer.ts";
import { within } from "../support/helpers.ts";

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
