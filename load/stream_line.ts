/** Messages over a stream: TCP, TLS, Unix sockets. They come back in order, cut up in any way. */

import type { Dialled } from "../net/stream.ts";
import { Messages } from "../net/messages.ts";
import { type Ears, Fault, fault, type Line } from "./line.ts";

const SMALLEST_BUFFER = 4 << 10;
const LARGEST_BUFFER = 256 << 10;

export class StreamLine implements Line {
  readonly handshakeMs: number | undefined;
  readonly #stream: Dialled["stream"];
  readonly #messages: Messages;
  readonly #size: number;
  readonly #buffer: Uint8Array;
  /** When each message on its way was sent, in a ring; empty where nobody asks. */
  readonly #sentAt: Float64Array;
  #sent = 0;
  #bytesBack = 0;
  #back = 0;
  #movedAt = 0;

  /**
   * Owns the stream. `window`: how many messages may be on their way with a time of their own; 0 for a sender
   * that knows the times itself, and may then send any number.
   */
  constructor({ stream, handshakeMs }: Dialled, messages: Messages, size: number, window: number) {
    this.#stream = stream;
    this.handshakeMs = handshakeMs;
    this.#messages = messages;
    this.#size = size;
    this.#sentAt = new Float64Array(window);
    const fitting = size * Math.max(window, 1);
    this.#buffer = new Uint8Array(Math.min(Math.max(fitting, SMALLEST_BUFFER), LARGEST_BUFFER));
  }

  async send(from: number, to: number, sentAt: number): Promise<void> {
    const window = this.#sentAt.length;
    if (window > 0) { for (let k = from; k < to; k++) this.#sentAt[k % window] = sentAt; }
    if (this.#sent === this.#back) this.#movedAt = sentAt;
    this.#sent = to;
    const end = to * this.#size;
    for (let at = from * this.#size; at < end;) {
      at += await this.#stream.write(this.#messages.piece(at, end - at));
    }
  }

  async receive(ears: Ears): Promise<void> {
    let n: number | null;
    try {
      n = await this.#stream.read(this.#buffer);
    } catch (error) {
      throw fault(error);
    }
    const offset = this.#bytesBack;
    if (n === null) throw new Fault("closed", `the other end closed the connection at byte ${offset}`);
    this.#movedAt = performance.now();
    const received = this.#buffer.subarray(0, n);
    const sent = this.#sent * this.#size;
    const right = this.#messages.matching(received.subarray(0, sent - offset), offset);
    this.#bytesBack = offset + right;
    while ((this.#back + 1) * this.#size <= this.#bytesBack) {
      const k = this.#back++;
      ears.back(k, this.#sentAt.length > 0 ? this.#sentAt[k % this.#sentAt.length]! : this.#movedAt);
    }
    if (right < n) {
      throw new Fault("corrupted", this.#messages.explain(received.subarray(right), offset + right));
    }
  }

  giveUp(time: number): number {
    return this.#movedAt < time ? this.#sent - this.#back : 0;
  }

  close(): void {
    this.#stream.close();
  }
}
