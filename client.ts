/** `echo connect`: one conversation, by a message, typed at a terminal, or piped. */

import { type Address, showAddress } from "./cli/address.ts";
import { printable } from "./cli/escape.ts";
import { readLines } from "./cli/terminal.ts";
import { showDuration, showSize } from "./cli/units.ts";
import { Conversation, OutputClosed, type Source } from "./net/conversation.ts";
import { Failure, reason } from "./net/errors.ts";
import { type Stream, transports } from "./net/transport.ts";

export interface ConnectOptions {
  readonly address: Address;
  /** Sent with a newline, in place of what stdin gives. */
  readonly message: string | undefined;
  /** Milliseconds, for connecting and for each wait for a reply. */
  readonly timeout: number;
  /** Milliseconds to go on trying to connect; undefined: one try. */
  readonly retry: number | undefined;
  readonly quiet: boolean;
}

const RETRY_PAUSE_MS = 100;
const NEWLINE = 10;

const encoder = new TextEncoder();

/**
 * Sends, receives and compares, until the input ends or `stop` aborts. Throws Failure when something does not
 * come back as it was sent, OutputClosed when nobody reads stdout any more.
 */
export async function connect(options: ConnectOptions, stop: AbortSignal): Promise<void> {
  const say: Say = options.quiet ? () => {} : (text) => void Deno.stderr.writeSync(encoder.encode(text));
  const where = showAddress(options.address);
  const begin = performance.now();
  const stream = await dial(options);
  const took = showDuration(performance.now() - begin);
  const atTerminal = options.message === undefined && Deno.stdin.isTerminal();
  const reply: Uint8Array[] = [];
  const conversation = new Conversation(stream, where, options.timeout, (bytes) => {
    if (!atTerminal) return writeAll(Deno.stdout, bytes);
    reply.push(bytes.slice());
    return Promise.resolve();
  });
  const session = new AbortController();
  stop.addEventListener("abort", () => session.abort(), { once: true });
  try {
    if (options.message !== undefined) {
      const ms = await conversation.during(conversation.exchange(encoder.encode(`${options.message}\n`)));
      await finish(conversation, say);
      say(`${showSize(conversation.bytes)} there and back in ${showDuration(ms)}\n`);
    } else if (atTerminal) {
      say(`connected to ${where} in ${took}; "exit" or Ctrl-D leaves\n`);
      await conversation.during(typed(conversation, reply, say, session.signal));
    } else {
      await conversation.during(conversation.send(until(stop, Deno.stdin)));
      await finish(conversation, say);
      const ms = performance.now() - begin;
      const speed = `${showSize(Math.round(conversation.bytes / ms * 1000))}/s`;
      say(`${showSize(conversation.bytes)} there and back in ${showDuration(ms)} (${speed})\n`);
    }
  } finally {
    session.abort();
    conversation.close();
  }
}

type Say = (text: string) => void;

async function finish(conversation: Conversation, say: Say): Promise<void> {
  if (await conversation.during(conversation.finish())) return;
  say("note: all came back, but the other end keeps the connection open after our half-close\n");
}

/** The session at a terminal: each line is sent, what came back is shown with its round-trip time. */
async function typed(
  conversation: Conversation,
  reply: Uint8Array[],
  say: Say,
  stop: AbortSignal,
): Promise<void> {
  const trips: number[] = [];
  await readLines("> ", stop, async (line) => {
    if (line === "exit") return false;
    const ms = await conversation.during(conversation.exchange(encoder.encode(`${line}\n`)));
    trips.push(ms);
    say(`${showDuration(ms)}  `);
    await writeAll(Deno.stdout, shown(reply.splice(0)));
    return true;
  });
  await finish(conversation, say);
  const sum = trips.reduce((total, ms) => total + ms, 0);
  const figures = [Math.min(...trips), sum / trips.length, Math.max(...trips)].map((ms) => ms.toFixed(3))
    .join("/");
  const lines = trips.length === 1 ? "1 line" : `${trips.length} lines`;
  say(`${lines}, ${showSize(conversation.bytes)} there and back`);
  say(trips.length === 0 ? "\n" : `; round trip min/avg/max = ${figures} ms\n`);
}

/** A reply as it is for a file, or as one line that is safe to look at for a terminal. */
function shown(pieces: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  if (!Deno.stdout.isTerminal()) return bytes;
  const line = bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes;
  return encoder.encode(`${printable(line)}\n`);
}

/** The source, which also ends when `stop` aborts: a read from stdin cannot be called back. */
function until(stop: AbortSignal, source: Source): Source {
  let interrupt = () => {};
  stop.addEventListener("abort", () => interrupt(), { once: true });
  return {
    read: (into) =>
      new Promise((resolve, reject) => {
        interrupt = () => resolve(null);
        if (stop.aborted) interrupt();
        else source.read(into).then(resolve, reject);
      }),
  };
}

async function dial({ address, timeout, retry }: ConnectOptions): Promise<Stream> {
  const deadline = performance.now() + (retry ?? 0);
  for (;;) {
    try {
      return await transports[address.scheme]!.dial(address, AbortSignal.timeout(timeout));
    } catch (error) {
      if (!(error instanceof Failure) || performance.now() + RETRY_PAUSE_MS > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_PAUSE_MS));
    }
  }
}

async function writeAll(
  output: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += await output.write(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed();
    throw new Failure(`cannot write to stdout: ${reason(error)}`);
  }
}
