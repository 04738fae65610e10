/** A line of datagrams (UDP): a message comes back whole, in any order, twice, changed, or not at all. */

import { DEFAULT_HOST, type NetAddress, showAddress } from "../base/address.ts";
import { DatagramPeer, LINGER_MS } from "../net/datagrams.ts";
import type { SendWindow } from "../net/send_window.ts";
import type { DialOptions } from "../net/stream.ts";
import { DatagramLedger } from "../net/datagram_ledger.ts";
import { failure } from "../base/errors.ts";
import type { Messages } from "./messages.ts";
import { type Fault, fault, type Line, type Owner } from "./line.ts";

/** How many settled messages a line remembers; see DatagramLedger. */
const REMEMBERED = 1 << 16;

/** See Line. */
export class DatagramLine implements Line {
  readonly handshakeMs = undefined;
  readonly #peer: DatagramPeer;
  readonly #messages: Messages;
  readonly #size: number;
  readonly #timeout: number;
  readonly #ledger: DatagramLedger;
  readonly #window: SendWindow | undefined;
  /** How many messages expired since the owner last asked. */
  #expired = 0;
  #sending = false;
  /** Since the owner was asked last how much to send. */
  #nudged = false;
  #closed = false;
  #finishing = false;
  #finishTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why sending failed. */
  #failed: unknown;

  /**
   * Owns `peer`. `size`: bytes a message; `timeout`: milliseconds after which the owner counts a message as lost.
   * `window`: shared by all lines that send by the clock; without one, the owner keeps few messages on their way.
   */
  constructor(peer: DatagramPeer, messages: Messages, size: number, timeout: number, window?: SendWindow) {
    this.#peer = peer;
    this.#messages = messages;
    this.#size = size;
    this.#timeout = timeout;
    this.#window = window;
    this.#ledger = new DatagramLedger((k) => messages.message(k * size, size), timeout, REMEMBERED);
  }

  get peer(): string {
    return this.#peer.peer;
  }

  expecting(answer: boolean): void {
    this.#peer.expecting(answer);
  }

  kernelView(): undefined {}

  get broken(): boolean {
    return this.#failed !== undefined;
  }

  async attend(owner: Owner): Promise<void> {
    this.#peer.onStray = (from) => owner.noted("stray", undefined, `a datagram came from ${from}`);
    try {
      await this.#peer.receive(
        (datagram, now) => {
          if (!this.#closed) this.#take(datagram, owner, now);
        },
        (now) => {
          if (this.#closed) return;
          owner.arrived(now);
          this.nudge(owner, now);
        },
      );
    } catch (error) {
      if (!this.#closed) throw fault(this.#failed ?? error);
    }
  }

  nudge(owner: Owner, now: number): void {
    this.#nudged = true;
    if (this.#sending || this.#closed || this.#finishing) return;
    this.#send(owner, now).catch((error) => {
      if (this.#closed) return;
      this.#failed = error;
      this.#peer.close(); // so that `attend` ends and tells
    });
  }

  expire(time: number): number {
    const lost = this.#expired + this.#ledger.expireBefore(time).length;
    this.#expired = 0;
    return lost;
  }

  located(fault: Fault): Fault {
    return fault;
  }

  /** Goes on receiving for a moment: a second reply to the last message, or a late one, may come. */
  finish(): void {
    if (this.#ledger.onTheirWay > 0) return this.close();
    this.#finishing = true;
    // Two timers: if this process was held up, what has arrived by then is read before the second one.
    this.#finishTimer = setTimeout(() => {
      this.#finishTimer = setTimeout(() => this.close(), 0);
    }, LINGER_MS);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#finishTimer);
    if (this.#failed === undefined) this.#peer.close();
  }

  /**
   * Sends what the owner wants, and what it wants since it was asked. What is due only because time has passed it tells
   * by itself: whoever cannot send as fast as it is due must receive all the same.
   */
  async #send(owner: Owner, at: number): Promise<void> {
    this.#sending = true;
    for (let now = at; this.#nudged; now = performance.now()) {
      this.#nudged = false;
      for (let n = owner.wanted(now); n > 0; n--) {
        while (this.#window?.take(now) === false) {
          await this.#window.next();
          now = performance.now();
        }
        if (this.#closed) return;
        const message = this.#messages.message(this.#ledger.sent * this.#size, this.#size);
        this.#ledger.add(message, now);
        const taken = this.#peer.send(message);
        if (typeof taken !== "number") await taken;
      }
    }
    this.#sending = false;
  }

  #take(datagram: Uint8Array, owner: Owner, now: number): void {
    this.#expired += this.#ledger.expireBefore(now - this.#timeout).length;
    const reply = this.#ledger.take(datagram);
    if (reply.kind === "back") {
      const sentAt = this.#ledger.sentAt(reply.number);
      this.#window?.back(sentAt, now);
      if (reply.reordered) owner.noted("reordered", reply.number, "");
      return owner.back(reply.number, sentAt, now);
    }
    if (reply.kind === "late") {
      const ms = (now - this.#ledger.sentAt(reply.number)).toFixed(0);
      return owner.noted("late", reply.number, `came back after ${ms} ms, when it had been given up`);
    }
    owner.wrong(reply.kind, reply.text, reply.kind === "corrupted" ? reply.number : undefined);
  }
}

/** Makes a line with a socket of its own to this address. Throws Failure, also when `signal` aborts. */
export async function openDatagrams(
  address: NetAddress,
  messages: Messages,
  { dial, size, timeout, sendWindow }: {
    readonly dial: DialOptions;
    readonly size: number;
    readonly timeout: number;
    readonly sendWindow?: SendWindow | undefined;
  },
  signal: AbortSignal,
): Promise<DatagramLine> {
  const { host = DEFAULT_HOST, port } = address;
  try {
    const peer = await DatagramPeer.open({ host, port }, dial, signal);
    return new DatagramLine(peer, messages, size, timeout, sendWindow);
  } catch (error) {
    throw failure("reach", showAddress({ ...address, host }), error);
  }
}
