/** Lines for a stream that may be slow, stuck or closed: bounded, and never waiting. */

import { within } from "../base/time.ts";

const NEWLINE = 10;

/** How many characters of log may wait; what comes on top of them is dropped and counted. */
const BUFFER_LIMIT = 1 << 20;

/**
 * Lines for a stream that may be slow, stuck or closed: batched, bounded, written without waiting.
 * A synchronous write would stop the whole server as soon as nobody reads its stderr.
 */
export class LineWriter {
  #waiting = "";
  /** The end of a line of which a failed write took the start: it goes out first, so that no line is torn. */
  #rest = new Uint8Array();
  #dropped = 0;
  #busy = false;
  #idle = Promise.resolve();
  readonly #encoder = new TextEncoder();
  readonly #stream: { write(bytes: Uint8Array): Promise<number> };

  /** Makes the line that tells how many were dropped. */
  onDrop: (count: number) => string = (count) => `${count} lines dropped\n`;

  /** `stream.write` may take less than all. */
  constructor(stream: { write(bytes: Uint8Array): Promise<number> }) {
    this.#stream = stream;
  }

  /** Takes one line, or several. */
  write(lines: string): void {
    if (this.#waiting.length + lines.length > BUFFER_LIMIT) {
      this.#dropped += lines.split("\n").length - 1;
      return;
    }
    this.#waiting += lines;
    if (!this.#busy) this.#idle = this.#pump();
  }

  /** Resolves when everything is written, or after `ms`. */
  async flush(ms: number): Promise<void> {
    await within(ms, this.#idle, () => {});
  }

  async #pump(): Promise<void> {
    this.#busy = true;
    await Promise.resolve(); // what the same turn still logs goes out with it
    while (this.#waiting !== "") {
      const lines = this.#encoder.encode(this.#waiting);
      this.#waiting = "";
      if (!await this.#writeAll(lines)) continue;
      if (this.#dropped > 0) {
        this.#waiting = this.onDrop(this.#dropped) + this.#waiting;
        this.#dropped = 0;
      }
    }
    this.#busy = false;
  }

  /** False if it failed: the stream is closed, or the disk is full. What was lost is told if it recovers. */
  async #writeAll(lines: Uint8Array): Promise<boolean> {
    const bytes = this.#rest.length === 0 ? lines : new Uint8Array([...this.#rest, ...lines]);
    let at = 0;
    try {
      while (at < bytes.length) at += await this.#stream.write(bytes.subarray(at));
      this.#rest = new Uint8Array();
      return true;
    } catch {
      const torn = at === 0 ? this.#rest.length > 0 : bytes[at - 1] !== NEWLINE;
      const end = torn ? bytes.indexOf(NEWLINE, at) + 1 : at;
      this.#rest = bytes.slice(at, end);
      for (const byte of bytes.subarray(end)) if (byte === NEWLINE) this.#dropped++;
      return false;
    }
  }
}
