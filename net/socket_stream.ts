/** A `Stream` over a socket of node:net or node:tls, whose own interface is one of events. */

import type { Socket } from "node:net";
import { Buffer } from "node:buffer";
import { Failure } from "../base/errors.ts";
import type { Stream } from "./stream.ts";

/** So many bytes may wait to be read before the socket is told to stop: below that, pausing costs more than it saves. */
const HELD_LIMIT = 128 << 10;
/** Three records of TLS: what Deno hands to the kernel at once. Of a longer write it moves the rest, each time. */
const LONGEST_WRITE = 48 << 10;
/**
 * So many bytes may wait in all sockets together. Above that each peer may be one that never reads: a socket then
 * receives no more than was asked for, and little is asked for.
 */
const HELD_LIMIT_OF_ALL = 4 << 20;
const LONGEST_READ_IN_A_CROWD = 24 << 10;
let heldByAll = 0;

/** How long the peer may take to accept our end of the stream before the connection is cut. */
const CLOSE_MS = 1000;

/** How a socket is told to receive no more for now, and to go on. */
export interface Flow {
  pause(): void;
  resume(): void;
  /** Whether what looks like the end of the stream is a reset. Asked while our direction is open. */
  isReset?(): boolean;
}

interface PendingRead {
  readonly into: Uint8Array;
  readonly resolve: (n: number | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Owns the socket, which must let its directions end one by one (`allowHalfOpen`). Nothing is read before `read`. */
export class SocketStream implements Stream {
  readonly #socket: Socket;
  readonly #flow: Flow;
  /** Received and not yet read, oldest first. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #paused = false;
  #pending: PendingRead | undefined;
  #writing = 0;
  #reading = false;
  #ended = false;
  #released = false;
  #error: unknown;

  /** `flow` is for a socket whose own `pause` does not hold back the peer. */
  constructor(socket: Socket, flow: Flow = socket) {
    this.#socket = socket;
    this.#flow = flow;
    socket.on("error", this.#onFault);
    socket.on("close", this.#onClose);
  }

  read(space: Uint8Array): Promise<number | null> {
    const into = isCrowd() ? space.subarray(0, LONGEST_READ_IN_A_CROWD) : space;
    if (this.#heldBytes > 0) return Promise.resolve(this.#take(into));
    return new Promise((resolve, reject) => {
      this.#pending = { into, resolve, reject };
      if (this.#reading) return this.#settle();
      this.#reading = true;
      this.#socket.on("end", this.#onEnd);
      this.#socket.on("data", this.#onData);
      this.#socket.resume(); // it may have been accepted paused, and then a listener alone does not start it
      this.#settle();
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    const part = bytes.length > LONGEST_WRITE ? bytes.subarray(0, LONGEST_WRITE) : bytes;
    this.#writing++;
    return new Promise((resolve, reject) => {
      this.#socket.write(part, (error) => {
        this.#writing--;
        if (error) reject(this.#error ?? error);
        else resolve(part.length);
      });
    });
  }

  closeWrite(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.end((error?: Error | null) => error ? reject(this.#error ?? error) : resolve());
    return promise;
  }

  /** Ends our direction first, so that a TLS peer knows that nothing is missing; but never waits for a stuck write. */
  close(): void {
    const orderly = !this.#released && this.#writing === 0 && this.#error === undefined;
    this.#onFault(new Failure("the connection was closed"));
    this.#held = [];
    this.#count(-this.#heldBytes);
    if (!orderly) return void this.#socket.destroy();
    const late = setTimeout(() => this.#socket.destroy(), CLOSE_MS);
    this.#socket.once("close", () => clearTimeout(late));
    this.#socket.end(() => this.#socket.destroy());
  }

  /**
   * Hands the socket over to a layer on top of it, with what was received and not read put back. From then on
   * this stream is good for nothing but to be closed.
   */
  release(): Socket {
    this.#released = true;
    this.#socket.pause();
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    if (this.#heldBytes > 0) this.#socket.unshift(Buffer.concat(this.#held));
    this.#held = [];
    this.#count(-this.#heldBytes);
    return this.#socket;
  }

  readonly #onData = (received: Uint8Array) => {
    if (this.#error !== undefined) return; // nobody reads any more
    let bytes = received;
    const pending = this.#pending;
    if (pending !== undefined) {
      // Most messages fit into what waits for them, and are never held.
      this.#pending = undefined;
      const n = Math.min(bytes.length, pending.into.length);
      pending.into.set(n === bytes.length ? bytes : bytes.subarray(0, n));
      pending.resolve(n);
      if (n === bytes.length) return;
      bytes = bytes.subarray(n);
    }
    this.#held.push(bytes);
    this.#count(bytes.length);
    if (this.#paused || this.#heldBytes < heldLimit()) return;
    this.#paused = true;
    this.#flow.pause();
  };

  readonly #onEnd = () => {
    if (!this.#socket.writableEnded && this.#flow.isReset?.()) {
      return this.#onFault(new Deno.errors.ConnectionReset());
    }
    this.#ended = true;
    this.#settle();
  };

  readonly #onFault = (error: unknown) => {
    this.#error ??= error;
    this.#settle();
  };

  readonly #onClose = () => this.#onFault(new Failure("the connection broke off"));

  /** Moves what is held into a read. */
  #take(into: Uint8Array): number {
    let at = 0;
    let taken = 0;
    for (const bytes of this.#held) {
      const part = bytes.subarray(0, into.length - at);
      into.set(part, at);
      at += part.length;
      if (part.length < bytes.length) {
        this.#held[taken] = bytes.subarray(part.length);
        break;
      }
      taken++;
    }
    this.#held.splice(0, taken);
    this.#count(-at);
    if (this.#paused && this.#heldBytes < heldLimit() && !this.#socket.destroyed) {
      this.#paused = false;
      this.#flow.resume();
    }
    return at;
  }

  #count(held: number): void {
    this.#heldBytes += held;
    heldByAll += held;
  }

  /** Tells a pending read of the end, or of what went wrong. */
  #settle(): void {
    const pending = this.#pending;
    if (pending === undefined || !this.#ended && this.#error === undefined) return;
    this.#pending = undefined;
    if (this.#ended) pending.resolve(null);
    else pending.reject(this.#error);
  }
}

function isCrowd(): boolean {
  return heldByAll > HELD_LIMIT_OF_ALL;
}

function heldLimit(): number {
  return isCrowd() ? 1 : HELD_LIMIT;
}
