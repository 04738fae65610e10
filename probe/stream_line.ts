/** A line over a stream (TCP, TLS, Unix sockets): messages come back in order, in pieces of any size. */

import type { Messages } from "./messages.ts";
import type { KernelView } from "../base/kernel_view.ts";
import { pause } from "../base/time.ts";
import type { Turns } from "../net/turns.ts";
import { type Dialled, LAST_WORD_MS } from "../net/stream.ts";
import { AFTER, BEFORE, diagnose, gather } from "../net/diagnosis.ts";
import { Fault, fault, type Line, type Owner } from "./line.ts";

const SMALLEST_BUFFER = 4 << 10;
const LARGEST_BUFFER = 256 << 10;
/** How long the other end may take to close its direction, when all is back and ours is closed. */
const FINISH_MS = 300;
/**
 * So many bytes fit into the socket buffers of any path, so writing them ends even if nobody reads. More bytes are
 * written while the line goes on reading, which costs a quarter more time a message.
 */
const NEVER_BLOCKS = 2 << 10;

/** See Line. */
export class StreamLine implements Line {
  readonly handshakeMs: number | undefined;
  readonly peer: string | undefined;
  readonly #stream: Dialled["stream"];
  readonly #turns: Turns | undefined;
  readonly #messages: Messages;
  readonly #size: number;
  readonly #buffer: Uint8Array;
  /** When each message on its way was sent, in a ring; empty if the owner knows it. */
  readonly #sentAt: Float64Array;
  #sent = 0;
  #back = 0;
  #bytesBack = 0;
  /** When right bytes came last, or a message was sent while none was on its way. */
  #movedAt = 0;
  #sending = false;
  #closed = false;
  /** Wrong bytes came. `attend` reads more of them, to say what they are. */
  #broken = false;
  #finishing = false;
  #finishTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why sending failed. */
  #failed: unknown;

  /**
   * Owns the stream. `size`: bytes a message. `window`: how many messages may be on their way; 0 for any number, if the
   * owner remembers when it sent them. `turns`: shared by all lines of a thread, so that none of them starves;
   * undefined where nobody does.
   */
  constructor(
    { stream, peer, handshakeMs }: Dialled,
    messages: Messages,
    size: number,
    window: number,
    turns?: Turns,
  ) {
    this.#turns = turns;
    turns?.join();
    this.#stream = stream;
    this.peer = peer;
    this.handshakeMs = handshakeMs;
    this.#messages = messages;
    this.#size = size;
    this.#sentAt = new Float64Array(window);
    const fitting = size * Math.max(window, 1);
    this.#buffer = new Uint8Array(Math.min(Math.max(fitting, SMALLEST_BUFFER), LARGEST_BUFFER));
  }

  expecting(answer: boolean): void {
    this.#stream.expecting?.(answer);
  }

  kernelView(): KernelView | undefined {
    return this.#closed ? undefined : this.#stream.kernelView?.();
  }

  get broken(): boolean {
    return this.#broken;
  }

  async attend(owner: Owner): Promise<void> {
    try {
      for (;;) {
        const got = this.#stream.read(this.#buffer);
        const waits = typeof got === "object" && got !== null;
        const n = waits ? await got : got;
        if (this.#closed) return;
        if (n === null && this.#finishing) return;
        if (n === null) throw await this.#whyEnded();
        const now = (waits ? this.#stream.arrivedAt : undefined) ?? performance.now();
        const right = this.#take(n, owner, now);
        if (right < n) throw await this.#judge(this.#buffer.slice(right, n));
        owner.arrived(now);
        if (this.#closed) return;
        const wanted = this.#sending ? 0 : owner.wanted(now);
        const from = this.#number(wanted, now);
        if ((this.#sent - this.#back) * this.#size > NEVER_BLOCKS) {
          if (wanted > 0) this.#sendAside(from, owner);
        } else {
          // As #send does, but without its promise, which costs a twentieth of the speed.
          const end = this.#sent * this.#size;
          for (let at = from * this.#size; at < end;) {
            const taken = this.#stream.write(this.#messages.piece(at, end - at));
            at += typeof taken === "object" ? await taken : taken;
          }
        }
        if (this.#turns?.crowded) await this.#turns.next();
      }
    } catch (error) {
      const over = this.#finishing && !(error instanceof Fault);
      if (this.#closed || over) return;
      throw this.#broken ? error : this.located(fault(error));
    }
  }

  nudge(owner: Owner, now: number): void {
    if (this.#sending || this.#broken || this.#finishing) return;
    const wanted = owner.wanted(now);
    if (wanted > 0) this.#sendAside(this.#number(wanted, now), owner);
  }

  expire(time: number): number {
    return this.#movedAt < time && !this.#broken ? this.#sent - this.#back : 0;
  }

  located({ kind, message }: Fault): Fault {
    return new Fault(kind, `${message}, at byte ${this.#bytesBack}`);
  }

  finish(): void {
    if (this.#sent > this.#back && !this.#broken) return this.close();
    this.#finishing = true;
    this.#stream.closeWrite().catch(() => {}); // it may be gone
    this.#stream.expecting?.(true);
    this.#finishTimer = setTimeout(() => this.close(), FINISH_MS);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#finishTimer);
    this.#turns?.leave();
    this.#stream.close();
  }

  /** Why the stream ended. The system reports a reset only once, and perhaps to a write, just after the read ended. */
  async #whyEnded(): Promise<unknown> {
    if (this.#sending && this.#failed === undefined) await pause(LAST_WORD_MS);
    return this.#failed ?? new Fault("closed", "the other end closed the connection");
  }

  /** Compares what arrived, and tells the owner which messages are back. Returns how many bytes are right. */
  #take(n: number, owner: Owner, now: number): number {
    const offset = this.#bytesBack;
    const onTheirWay = this.#sent * this.#size - offset;
    const right = this.#messages.matching(this.#buffer, Math.min(n, onTheirWay), offset);
    this.#bytesBack = offset + right;
    this.#movedAt = now;
    const window = this.#sentAt.length;
    while ((this.#back + 1) * this.#size <= this.#bytesBack) {
      const k = this.#back++;
      owner.back(k, window > 0 ? this.#sentAt[k % window]! : now, now);
    }
    return right;
  }

  /** What is wrong with the first wrong bytes, after reading what follows them. Nothing more is sent. */
  async #judge(wrong: Uint8Array): Promise<Fault> {
    this.#broken = true;
    const offset = this.#bytesBack;
    const end = this.#sent * this.#size;
    const from = Math.max(offset - BEFORE, 0);
    const before = this.#messages.message(from, offset - from);
    const after = this.#messages.message(offset, Math.min(end - offset, AFTER));
    const came = await gather(this.#stream, wrong);
    const next = this.#messages.message(end, came.length);
    const { kind, text } = diagnose({ offset, asked: end - offset, before, after, next, came });
    return new Fault(kind, text);
  }

  /** Numbers the next messages, and returns the first one's number. */
  #number(n: number, now: number): number {
    const from = this.#sent;
    if (from === this.#back) this.#movedAt = now;
    this.#sent += n;
    this.#stamp(from, now);
    return from;
  }

  /** Sends message `from` and all numbered ones after it. */
  async #send(from: number): Promise<void> {
    const end = this.#sent * this.#size;
    this.#stamp(from, performance.now());
    for (let at = from * this.#size; at < end;) {
      const taken = this.#stream.write(this.#messages.piece(at, end - at));
      at += typeof taken === "object" ? await taken : taken;
    }
  }

  /** Messages `from` and all after it are sent now. */
  #stamp(from: number, now: number): void {
    const window = this.#sentAt.length;
    if (window > 0) { for (let k = from; k < this.#sent; k++) this.#sentAt[k % window] = now; }
  }

  /** Sends while `attend` goes on reading, as long as the owner wants more. */
  async #sendAside(from: number, owner: Owner): Promise<void> {
    this.#sending = true;
    try {
      do {
        await this.#send(from);
        if (this.#closed || this.#broken) return;
        const now = performance.now();
        from = this.#number(owner.wanted(now), now);
      } while (from < this.#sent);
      this.#sending = false;
    } catch (error) {
      this.#failed = error; // `attend` tells more of what happened, and asks for this if it cannot
    }
  }
}
