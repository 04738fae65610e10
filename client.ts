/** `echo connect`: one message, lines typed at a terminal, or a pipe. */

import {
  type Address,
  hostOf,
  isDatagram,
  showAddress,
  type StreamAddress,
  withHost,
} from "./base/address.ts";
import { showKernelView } from "./base/kernel_view.ts";
import { printable } from "./base/escape.ts";
import { note, output } from "./cli/output.ts";
import { readLines } from "./cli/terminal.ts";
import { showDuration, showSize } from "./base/units.ts";
import type { Conversation, Source } from "./client/conversation.ts";
import { DatagramConversation } from "./client/datagrams.ts";
import { StreamConversation } from "./client/streams.ts";
import { Failure, reason, unanswered } from "./base/errors.ts";
import { pause } from "./base/time.ts";
import type { Dialled, DialOptions } from "./net/stream.ts";
import { transport } from "./net/schemes.ts";

/** What `connect` is asked to do. */
export interface ConnectOptions {
  readonly address: Address;
  readonly dial: DialOptions;
  /** Sent with a newline, in place of what stdin gives. */
  readonly message: string | undefined;
  /** Milliseconds, for connecting and for each wait for a reply. */
  readonly timeout: number;
  /** Milliseconds to go on trying to connect; undefined: one try. */
  readonly retry: number | undefined;
  /** Bytes in a datagram at most, where a pipe is sent by datagrams. */
  readonly size: number;
  readonly quiet: boolean;
  /** Say whom we are connected to, without a terminal too. */
  readonly verbose: boolean;
}

const RETRY_PAUSE_MS = 100;
const NEWLINE = 10;
const PROGRESS_MS = 1000;
const ERASE_LINE = "\r\x1b[K";

const encoder = new TextEncoder();

/**
 * Sends, receives and compares, until the input ends or `stop` aborts; Ctrl-C at the prompt calls `interrupt`.
 * Throws Failure when something does not come back as it was sent, OutputClosed when nobody reads stdout.
 */
export async function connect(
  options: ConnectOptions,
  stop: AbortSignal,
  interrupt: () => void,
): Promise<void> {
  const say: Say = options.quiet ? () => {} : note;
  const begin = performance.now();
  const atTerminal = options.message === undefined && Deno.stdin.isTerminal();
  const reply: Uint8Array[] = [];
  const deliver = (bytes: Uint8Array) => {
    if (!atTerminal) return output(Deno.stdout.isTerminal() ? legible(bytes) : bytes);
    reply.push(bytes.slice());
    return Promise.resolve();
  };
  const { conversation, opening, details } = await open(options, deliver, stop, say);
  if (options.verbose) say(`${opening}, engine ${options.dial.engine}\n`);
  for (const detail of details) say(`${detail}\n`);
  const session = new AbortController();
  stop.addEventListener("abort", () => session.abort(), { once: true });
  try {
    if (options.message !== undefined) {
      stop.addEventListener("abort", () => conversation.interrupt(String(stop.reason)), { once: true });
      const ms = await conversation.during(conversation.exchange(encoder.encode(`${options.message}\n`)));
      await finish(conversation, say);
      if (ms !== undefined) {
        say(`${thereAndBack(conversation)} in ${showDuration(ms)}${conversation.summary}\n`);
      }
    } else if (atTerminal) {
      say(`${options.verbose ? "" : `${opening}; `}"exit" or Ctrl-D leaves\n`);
      await conversation.during(typed(conversation, reply, options.timeout, say, session.signal, interrupt));
    } else {
      const hide = options.quiet ? () => {} : showProgress(conversation, begin);
      try {
        await conversation.during(conversation.send(until(stop, Deno.stdin)));
        await finish(conversation, say);
      } finally {
        hide();
      }
      const ms = performance.now() - begin;
      const speed = `${showSize(Math.round(conversation.bytes / ms * 1000))}/s`;
      say(`${thereAndBack(conversation)} in ${showDuration(ms)} (${speed})${conversation.summary}\n`);
    }
    const view = options.verbose ? conversation.kernelView() : undefined;
    if (view !== undefined) say(`kernel: ${showKernelView(view)}\n`);
    if (conversation.fault !== undefined) throw conversation.fault;
  } finally {
    session.abort();
    conversation.close();
  }
}

/** A conversation that can begin, and what to say of it at the terminal. */
interface Opened {
  readonly conversation: Conversation;
  readonly opening: string;
  readonly details: readonly string[];
}

async function open(
  options: ConnectOptions,
  deliver: (bytes: Uint8Array) => Promise<void>,
  stop: AbortSignal,
  say: Say,
): Promise<Opened> {
  const { address, timeout } = options;
  const where = showAddress(withHost(address));
  // At a terminal, keys and Ctrl-C must never wait: Deno 2.7 loses them where the thread is held up.
  const exact = options.message !== undefined;
  if (isDatagram(address)) {
    const limit = AbortSignal.any([stop, AbortSignal.timeout(timeout)]);
    const conversation = await DatagramConversation.open(address, { ...options, exact }, deliver, limit);
    const to = answered(address, conversation.peer);
    return { conversation, opening: `to ${to}, a datagram a line (UDP has no connection)`, details: [] };
  }
  const begin = performance.now();
  const { stream, peer, details } = await reach({ ...options, address }, stop, say);
  const opening = `connected to ${answered(address, peer)} in ${showDuration(performance.now() - begin)}`;
  return { conversation: new StreamConversation(stream, where, timeout, deliver, exact), opening, details };
}

/** The address that was asked for; where that is a name, with the IP address that answered. */
function answered(address: Address, peer: string | undefined): string {
  const where = showAddress(withHost(address));
  return peer === undefined || where.endsWith(`/${peer}`) ? where : `${where} (${hostOf(peer)})`;
}

function thereAndBack({ bytes }: Conversation): string {
  return `${showSize(bytes)} there and back`;
}

/** Shows each second how far a pipe is, if stderr is a terminal and stdout is not. Returns a function that erases it. */
function showProgress(conversation: Conversation, begin: number): () => void {
  if (!Deno.stderr.isTerminal() || Deno.stdout.isTerminal()) return () => {};
  let shown = false;
  const timer = setInterval(() => {
    const speed = showSize(Math.round(conversation.bytes / (performance.now() - begin) * 1000));
    note(`${shown ? ERASE_LINE : ""}${thereAndBack(conversation)} so far (${speed}/s)`);
    shown = true;
  }, PROGRESS_MS);
  return () => {
    clearInterval(timer);
    if (shown) note(ERASE_LINE);
  };
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
  timeout: number,
  say: Say,
  stop: AbortSignal,
  interrupt: () => void,
): Promise<void> {
  const trips: number[] = [];
  await readLines("> ", stop, interrupt, async (line) => {
    if (line === "exit") return false;
    const text = line.replace(/^\\(?=\\*exit$)/, ""); // \exit is the word
    const ms = await conversation.during(conversation.exchange(encoder.encode(`${text}\n`)));
    if (ms === undefined) {
      say(`no reply within ${showDuration(timeout)}\n`);
      return true;
    }
    trips.push(ms);
    say(`${showDuration(ms)}  `);
    await output(replyLine(reply.splice(0)));
    return true;
  });
  await finish(conversation, say);
  const sum = trips.reduce((total, ms) => total + ms, 0);
  const figures = [Math.min(...trips), sum / trips.length, Math.max(...trips)].map((ms) => ms.toFixed(3))
    .join("/");
  const lines = trips.length === 1 ? "1 line" : `${trips.length} lines`;
  const trip = trips.length === 0 ? "" : `; round trip min/avg/max = ${figures} ms`;
  say(`${lines}, ${thereAndBack(conversation)}${trip}${conversation.summary}\n`);
}

/** A reply as it is for a file, or as one line that is safe to look at for a terminal. */
function replyLine(pieces: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return Deno.stdout.isTerminal() ? legible(bytes) : bytes;
}

/** Lines that a terminal shows and does not obey. A character that is cut between two pieces shows as its bytes. */
function legible(bytes: Uint8Array): Uint8Array {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(NEWLINE, at);
    const end = newline === -1 ? bytes.length : newline;
    text += printable(bytes.subarray(at, end)) + (newline === -1 ? "" : "\n");
    at = end + 1;
  }
  return encoder.encode(text);
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
        else {
          const fail = (error: unknown) => reject(new Failure(`cannot read stdin: ${reason(error)}`));
          source.read(into).then(resolve, fail);
        }
      }),
  };
}

async function reach(
  { address, dial, timeout, retry }: ConnectOptions & { readonly address: StreamAddress },
  stop: AbortSignal,
  say: Say,
): Promise<Dialled> {
  const where = showAddress(withHost(address));
  const deadline = performance.now() + (retry ?? 0);
  for (let tries = 1;; tries++) {
    const late = AbortSignal.timeout(timeout);
    let fault: unknown;
    try {
      return await transport(address, dial.engine).dial(dial, AbortSignal.any([stop, late]));
    } catch (error) {
      fault = error;
    }
    if (!(fault instanceof Failure)) throw fault;
    if (late.aborted) {
      const what = unanswered(fault);
      const why = "a firewall drops it, or nobody accepts there (see --timeout)";
      fault = new Failure(`cannot connect to ${where}: ${what} within ${showDuration(timeout)}; ${why}`);
    }
    const retrying = performance.now() + RETRY_PAUSE_MS <= deadline;
    if (retrying && !stop.aborted) {
      if (tries === 1) say(`waiting for ${where}, for at most ${showDuration(retry ?? 0)}\n`);
      await pause(RETRY_PAUSE_MS, stop);
    }
    if (stop.aborted) throw new Failure(`cannot connect to ${where}: interrupted by ${stop.reason}`);
    if (!retrying) throw fault;
  }
}
