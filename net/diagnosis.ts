/** Says what is wrong with what came back, in the same words for connect, ping and bench. */

import { within } from "../base/time.ts";
import { Buffer } from "node:buffer";
import { preview } from "../base/escape.ts";
import type { Stream } from "./stream.ts";

/** `corrupted`: wrong bytes in place of those that were sent; `surplus`: bytes that nobody had sent. */
export type WrongKind = "corrupted" | "surplus";

/** What is wrong, with its offset in the stream, for a person. */
export interface Verdict {
  readonly kind: WrongKind;
  readonly text: string;
}

/** All that is known of the place where what came differs from what was sent. */
export interface Evidence {
  /** The offset of the first wrong byte in the stream. */
  readonly offset: number;
  /** How many bytes were on their way when that byte came. */
  readonly asked: number;
  /** The last bytes that came back right, at most BEFORE. */
  readonly before: Uint8Array;
  /** What was sent from `offset` on, at most AFTER bytes. */
  readonly after: Uint8Array;
  /** What would have been sent next, if that is known; else empty. */
  readonly next: Uint8Array;
  /** What came from `offset` on. */
  readonly came: Uint8Array;
}

/** How many bytes before a difference are searched for the place where the stream goes on. */
export const BEFORE = 256 << 10;
/** The same for the bytes after it. */
export const AFTER = 1 << 20;
/** How many bytes after the first wrong one are read at most, and for how long. */
const ENOUGH = 64 << 10;
const GATHER_MS = 200;
/** So many bytes in a row do not fit by accident, unless the content repeats itself. */
const PROOF = 8;
/** How many places that a search finds are tried. */
const MAX_TRIES = 1000;
/**
 * How other protocols begin. KNOWN_SPEECH is certain, and is looked for even if the first SPEECH_WITHIN bytes came back
 * right, which may be by accident. The others are what may be a protocol if nothing else explains it.
 */
const KNOWN_SPEECH = /^(SSH-|HTTP\/)/;
const SPEECH_WITHIN = 4;
const SOME_SPEECH = /^[^]{8}/;
const ANY_SPEECH = /^/;
const SHOWN_BYTES = 8;
const SHOWN_SPEECH = 60;
/** Types of TLS records (RFC 8446, 5.1): alert, handshake. */
const TLS_RECORDS: ReadonlySet<number> = new Set([0x15, 0x16]);

const latin1 = new TextDecoder("latin1");

/**
 * Reads what comes after the first wrong bytes, `first`, and returns all of it, for a diagnosis. Closes our direction,
 * so that the other end sends what it has and closes its own. The stream can only be closed afterwards.
 */
export async function gather(stream: Stream, first: Uint8Array): Promise<Uint8Array> {
  stream.closeWrite().catch(() => {}); // it may be gone
  const pieces = [first];
  await within(GATHER_MS, collect(stream, pieces), () => {});
  return concat(...pieces);
}

/** Reads until there is enough, or no more. */
async function collect(stream: Stream, pieces: Uint8Array[]): Promise<void> {
  try {
    for (let length = concat(...pieces).length; length < ENOUGH;) {
      const buffer = new Uint8Array(ENOUGH);
      const n = await stream.read(buffer);
      if (n === null) break;
      pieces.push(buffer.subarray(0, n));
      length += n;
    }
  } catch { /* it broke: there is no more */ }
}

/** Names the fault. If several faults would look the same, says only which byte differs. */
export function diagnose(evidence: Evidence): Verdict {
  const { offset, asked, after, came } = evidence;
  const known = speech(evidence, KNOWN_SPEECH, SPEECH_WITHIN);
  if (known !== undefined) return { kind: "corrupted", text: known };
  if (asked === 0) return diagnoseSurplus(evidence);
  const [best, second] = [flipped(evidence), doubled(evidence), missing(evidence), inserted(evidence)]
    .filter((explanation) => explanation !== undefined)
    .sort((a, b) => Number(b.whole) - Number(a.whole) || b.run - a.run);
  if (best !== undefined && !best.vague && (second === undefined || better(best, second))) {
    return { kind: "corrupted", text: best.text };
  }
  const less = `at byte ${offset} came ${hex(came, 1)} instead of ${hex(after, 1)}`;
  return { kind: "corrupted", text: speech(evidence, SOME_SPEECH) ?? less };
}

/** What is wrong with a datagram that came back changed. `offset`: of its first byte, in what the message names. */
export function diagnoseDatagram(sent: Uint8Array, received: Uint8Array, offset = 0): string {
  const right = common(sent, 0, received, 0);
  if (right === received.length) return `it ends after ${right} of ${bytes(sent.length)}`;
  if (right === sent.length) return `${bytes(received.length - right)} came after its end`;
  return diagnose({
    offset: offset + right,
    asked: sent.length - right,
    before: sent.subarray(0, right),
    after: sent.subarray(right),
    next: new Uint8Array(),
    came: received.subarray(right),
  }).text;
}

/** What more came when all was back. */
function diagnoseSurplus(evidence: Evidence): Verdict {
  const { offset, after, next, came } = evidence;
  const n = came.length;
  if (n >= PROOF / 2 && common(concat(after, next), 0, came, 0) === n) {
    return {
      kind: "surplus",
      text: `${bytes(n)} came before ${n === 1 ? "it was" : "they were"} sent, at byte ${offset}`,
    };
  }
  const known = doubled(evidence)?.text ?? speech(evidence, ANY_SPEECH);
  if (known !== undefined) return { kind: "corrupted", text: known };
  const least = n >= ENOUGH ? "at least " : "";
  return {
    kind: "surplus",
    text: `${least}${bytes(n)} came that nobody had sent, at byte ${offset}: ${hex(came)}`,
  };
}

/** One explanation of what came: an edit of what was sent. After it, `run` bytes are as they were sent. */
interface Explanation extends Match {
  readonly text: string;
}

function flipped({ offset, after, came }: Evidence): Explanation | undefined {
  for (let n = 1; n <= Math.min(after.length, came.length); n++) {
    const run = common(after, n, came, n);
    const whole = n + run === after.length && n + run === came.length;
    if (run < PROOF && !whole) continue;
    const what = n === 1 ? `byte ${offset}` : `bytes ${offset} to ${offset + n - 1}`;
    const text = `${what} came back changed: sent ${hex(after, n)}, received ${hex(came, n)}`;
    return { at: n, run, whole, vague: false, text };
  }
  return undefined;
}

function missing({ offset, before, after, came }: Evidence): Explanation | undefined {
  const match = longest(after, came, 1, (at, run) => at + run === after.length && run === came.length);
  if (match === undefined) return undefined;
  const n = match.at;
  const first = offset - shifts(concat(before, after), before.length, n);
  return { ...match, text: `${bytes(n)} ${n === 1 ? "is" : "are"} missing at ${oneOf(first, offset)}` };
}

function doubled({ offset, before, after, came }: Evidence): Explanation | undefined {
  const sent = concat(before, after);
  const end = before.length;
  const match = longest(
    sent,
    came,
    0,
    (at, run) => at + run === sent.length && run === came.length,
    end,
  );
  if (match === undefined) return undefined;
  const n = Math.min(match.run, end - match.at);
  const last = offset - end + match.at;
  const first = n === end - match.at ? last - shifts(sent, match.at, n) : last;
  // Of two places, the nearer one is more likely.
  return { ...match, vague: false, text: twice(first, last, n) };
}

function inserted({ offset, before, after, came }: Evidence): Explanation | undefined {
  const match = longest(came, after, 1, (at, run) => at + run === came.length && run === after.length);
  if (match === undefined) return undefined;
  const n = match.at;
  const from = n < PROOF ? -1 : lastIndex(before, came.subarray(0, n), before.length);
  if (from >= 0) {
    const start = offset - before.length + from;
    return { ...match, text: twice(start, start, n) };
  }
  const place = oneOf(offset - shifts(concat(before, came), before.length, n), offset);
  const text = n === 1
    ? `1 byte that was never sent stands before ${place}: ${hex(came, n)}`
    : `${bytes(n)} that were never sent stand before ${place}: ${hex(came, n)}`;
  return { ...match, text };
}

function twice(first: number, last: number, n: number): string {
  if (n === 1) return `${oneOf(first, last)} came back twice`;
  if (first === last) return `bytes ${first} to ${first + n - 1} came back twice`;
  return `${bytes(n)} came back twice, from ${oneOf(first, last)} on`;
}

/** Says that it is no echo server, if what came from the start matches `looks`, or is TLS. */
function speech({ offset, before, came }: Evidence, looks: RegExp, within = 0): string | undefined {
  if (offset > within) return undefined;
  const said = concat(before, came);
  if (TLS_RECORDS.has(said[0] ?? 0) && said[1] === 3 && (said[2] ?? 0) <= 4) {
    return "the other end speaks TLS: try tls:// in front of the address";
  }
  if (!looks.test(latin1.decode(said))) return undefined;
  const line = said.findIndex((byte) => byte === 10 || byte === 13);
  return `this is no echo server: it says ${preview(line > 0 ? said.subarray(0, line) : said, SHOWN_SPEECH)}`;
}

/** Where bytes go on as others do, and for how long. */
interface Match {
  readonly at: number;
  readonly run: number;
  /** Whether it explains every byte that came and every byte that was sent. */
  readonly whole: boolean;
  /** Whether another place explains it just as well. */
  readonly vague: boolean;
}

/** The best place in `hay` where it goes on as `needle` begins. Searches from `from` on; with `before`, from there down to `from`. */
function longest(
  hay: Uint8Array,
  needle: Uint8Array,
  from: number,
  isWhole: (at: number, run: number) => boolean,
  before?: number,
): Match | undefined {
  const probe = needle.subarray(0, PROOF);
  const find = (at: number) =>
    before === undefined ? buffer(hay).indexOf(probe, at) : lastIndex(hay, probe, at);
  const step = before === undefined ? 1 : -1;
  let best: Match | undefined;
  let at = find(before === undefined ? from : before - 1);
  for (let tries = 0; at >= from && tries < MAX_TRIES; tries++, at = find(at + step)) {
    const run = common(hay, at, needle, 0);
    const match = { at, run, whole: isWhole(at, run), vague: false };
    if (run < PROOF && !match.whole) continue;
    if (best === undefined || better(match, best)) best = match;
    else if (!better(best, match)) best = { ...best, vague: true };
  }
  return best;
}

/** The last place up to `at` where `hay` has `probe`. Buffer's own lastIndexOf misses some on Deno 2.7. */
function lastIndex(hay: Uint8Array, probe: Uint8Array, at: number): number {
  for (let i = Math.min(at, hay.length - probe.length); i >= 0; i--) {
    if (hay[i] === probe[0] && common(hay, i, probe, 0) === probe.length) return i;
  }
  return -1;
}

function better(a: Pick<Match, "whole" | "run">, b: Pick<Match, "whole" | "run">): boolean {
  return a.whole === b.whole ? a.run > b.run : a.whole;
}

/** By how many bytes before `at` the same edit of `n` bytes would have had the same result. */
function shifts(all: Uint8Array, at: number, n: number): number {
  let back = 0;
  while (back < at && all[at - 1 - back] === all[at - 1 - back + n]) back++;
  return back;
}

/** How many bytes of `a` from `i` on and of `b` from `j` on are equal. */
function common(a: Uint8Array, i: number, b: Uint8Array, j: number): number {
  let n = 0;
  while (i + n < a.length && j + n < b.length && a[i + n] === b[j + n]) n++;
  return n;
}

function concat(...pieces: Uint8Array[]): Uint8Array {
  return Buffer.concat(pieces);
}

/** The same bytes as a Buffer, which can be searched. */
function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function oneOf(first: number, last: number): string {
  return first === last ? `byte ${last}` : `one of bytes ${first} to ${last}`;
}

function bytes(n: number): string {
  return n === 1 ? "1 byte" : `${n} bytes`;
}

/** The first `n` bytes. */
function hex(some: Uint8Array, n = some.length): string {
  const shown = some.subarray(0, Math.min(n, SHOWN_BYTES));
  const digits = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `0x${digits}${n > shown.length ? "…" : ""}`;
}
