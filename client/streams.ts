/** `echo connect` over a stream: TCP, TLS, Unix sockets. */

import type { KernelView } from "../base/kernel_view.ts";
import { errno, Failure, failure, OutputClosed } from "../base/errors.ts";
import type { Conversation, Source } from "./conversation.ts";
import { Outstanding } from "./outstanding.ts";
import { pause, within } from "../base/time.ts";
import { LAST_WORD_MS, type Stream } from "../net/stream.ts";
import { AFTER, BEFORE, diagnose, gather } from "../net/diagnosis.ts";
import { showDuration } from "../base/units.ts";

/** How many bytes may be on their way. More than the socket buffers of any path hold; it bounds our memory. */
const MAX_OUTSTANDING = 64 << 20;
const RECEIVE_BUFFER = 256 << 10;
/** How long the other end may take to close its direction, when all is back and ours is closed. */
const LINGER_MS = 1000;

/**
 * A conversation over a stream. What comes back is compared while it arrives. The first difference, loss, surplus or
 * silence of `timeout` milliseconds breaks it.
 */
export class StreamConversation implements Conversation {
  readonly summary = "";
  readonly fault = undefined;
  readonly #stream: Stream;
  readonly #where: string;
  readonly #timeout: number;
  readonly #deliver: (bytes: Uint8Array) => Promise<void>;
  readonly #outstanding = new Outstanding(MAX_OUTSTANDING);
  readonly #broken = Promise.withResolvers<never>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #watch: ReturnType<typeof setInterval>;
  #movedAt = performance.now();
  #delivering = false;
  /** Whether the thread may be held up so as to see at once what comes back, and whether it is now worth it. */
  readonly #mayWait: boolean;
  #exact = false;
  #halfClosed = false;
  /** Wrong bytes came, so nothing more is sent. */
  #faulty = false;
  /** Why the last bytes could not be sent. */
  #unsent: unknown;
  /** Wakes up whoever waits for something to come back. */
  #onProgress = () => {};

  /**
   * Owns the stream until `close`. `where`: the address, for messages. `deliver` is handed what comes back, piece by
   * piece. `exact`: no keys are awaited, so that the thread may wait for nothing but a reply.
   */
  constructor(
    stream: Stream,
    where: string,
    timeout: number,
    deliver: (bytes: Uint8Array) => Promise<void>,
    exact: boolean,
  ) {
    this.#mayWait = exact;
    this.#stream = stream;
    this.#where = where;
    this.#timeout = timeout;
    this.#deliver = deliver;
    this.#broken.promise.catch(() => {}); // told to whoever is inside `during`
    this.#watch = setInterval(() => this.#checkSilence(), Math.min(timeout / 10, 100));
    this.#receive();
  }

  get bytes(): number {
    return this.#outstanding.back;
  }

  during<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#broken.promise]);
  }

  async send(source: Source): Promise<void> {
    for (;;) {
      const piece = this.#outstanding.space();
      if (piece.length === 0) {
        await this.#progress();
        continue;
      }
      const n = await source.read(piece);
      if (n === null) return;
      if (this.#faulty) return await this.#broken.promise;
      if (this.#outstanding.length === 0) this.#movedAt = performance.now();
      this.#outstanding.add(n);
      try {
        // A write that ends is no progress: the bytes may only be in a buffer of the kernel.
        for (let at = 0; at < n;) at += await this.#stream.write(piece.subarray(at, n));
      } catch (error) {
        this.#unsent = error;
        await this.#ended.promise; // reading tells more of what happened than the failed write
        throw failure("send to", this.#where, error);
      }
    }
  }

  async exchange(bytes: Uint8Array): Promise<number> {
    const begin = performance.now();
    let rest = bytes;
    await this.send({
      read(into) {
        const part = rest.subarray(0, into.length);
        into.set(part);
        rest = rest.subarray(part.length);
        return Promise.resolve(part.length === 0 ? null : part.length);
      },
    });
    this.#exact = this.#mayWait;
    if (this.#exact) this.#stream.expecting?.(this.#outstanding.length > 0);
    while (this.#outstanding.length > 0) await this.#progress();
    this.#exact = false;
    return performance.now() - begin;
  }

  async finish(): Promise<boolean> {
    this.#halfClosed = true;
    try {
      await this.#stream.closeWrite();
    } catch (error) {
      await this.#ended.promise;
      throw failure("half-close", this.#where, error);
    }
    while (this.#outstanding.length > 0) await this.#progress();
    if (this.#mayWait) this.#stream.expecting?.(true);
    return await within(LINGER_MS, this.#ended.promise.then(() => true), () => false);
  }

  kernelView(): KernelView | undefined {
    return this.#stream.kernelView?.();
  }

  interrupt(name: string): void {
    this.#break(new Failure(`interrupted by ${name}${this.#score()}`));
  }

  close(): void {
    clearInterval(this.#watch);
    this.#stream.close();
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(RECEIVE_BUFFER);
    try {
      for (;;) {
        const n = await this.#stream.read(buffer);
        if (n === null) break;
        const bytes = buffer.subarray(0, n);
        const right = this.#outstanding.take(bytes);
        const asked = this.#outstanding.length;
        this.#delivering = true;
        this.#stream.expecting?.(false); // an output is the business of Deno's event loop
        await this.#deliver(bytes);
        this.#delivering = false;
        if (this.#exact && this.#outstanding.length > 0) this.#stream.expecting?.(true);
        this.#movedAt = performance.now();
        if (right < n) throw await this.#judge(bytes.subarray(right), asked);
        this.#onProgress();
      }
      if (this.#outstanding.length > 0 || !this.#halfClosed) {
        await pause(LAST_WORD_MS); // the system tells of a reset but once, and a write may hear of it
        if (errno(this.#unsent) === "ECONNRESET") throw this.#unsent;
        throw new Failure(`the other end closed the connection${this.#score()}`);
      }
      this.#ended.resolve();
    } catch (error) {
      const known = error instanceof Failure || error instanceof OutputClosed;
      this.#break(
        known ? error : new Failure(`${failure("receive from", this.#where, error).message}${this.#score()}`),
      );
    }
  }

  /** What is wrong with the first wrong bytes; `asked` bytes were on their way when they came. */
  async #judge(wrong: Uint8Array, asked: number): Promise<Failure> {
    this.#faulty = true;
    clearInterval(this.#watch);
    const came = await gather(this.#stream, wrong);
    const { back: offset } = this.#outstanding;
    const [before, after, next] = [
      this.#outstanding.before(BEFORE),
      this.#outstanding.after(AFTER),
      new Uint8Array(),
    ];
    return new Failure(diagnose({ offset, asked, before, after, next, came }).text);
  }

  #score(): string {
    const { back, sent } = this.#outstanding;
    return ` (${back} of ${sent} bytes came back)`;
  }

  #break(error: Error): void {
    clearInterval(this.#watch);
    this.#broken.reject(error);
  }

  #checkSilence(): void {
    if (this.#outstanding.length === 0 || this.#delivering) return;
    if (performance.now() - this.#movedAt < this.#timeout) return;
    this.#break(
      new Failure(`no reply from ${this.#where} for ${showDuration(this.#timeout)}${this.#score()}`),
    );
  }

  #progress(): Promise<void> {
    return new Promise((resolve) => this.#onProgress = resolve);
  }
}
