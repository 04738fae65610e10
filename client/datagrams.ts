/** `echo connect` over UDP (RFC 862): without a connection, each datagram is awaited by itself. */

import { pause } from "../base/time.ts";
import { type DatagramAddress, DEFAULT_HOST, showAddress } from "../base/address.ts";
import { LARGEST_DATAGRAM, showDuration } from "../base/units.ts";
import type { Conversation, Source } from "./conversation.ts";
import { DatagramPeer, datagramWindow, LINGER_MS } from "../net/datagrams.ts";
import type { DialOptions } from "../net/stream.ts";
import { DatagramLedger } from "../net/datagram_ledger.ts";
import { Failure, failure } from "../base/errors.ts";

/** Bytes that go in one packet on nearly every path: the least MTU of IPv6 is 1,280 bytes (RFC 8200), with headers. */
export const USUAL_DATAGRAM = 1200;
/** How many bytes that came back may wait for an earlier datagram, as they are delivered in the order of sending. */
const HELD_BYTES = 16 << 20;
/** How many settled datagrams, and bytes of them, are remembered, to tell a late or doubled reply from a wrong one. */
const REMEMBERED = 8192;
const REMEMBERED_BYTES = 16 << 20;
/** After so many losses in a row, or a whole window if that is more, a pipe gives up: nobody answers. */
const HOPELESS = 3;

interface Sent {
  readonly number: number;
  readonly bytes: Uint8Array;
  state: "waiting" | "back" | "lost";
}

/**
 * A conversation by datagrams. The payload is the user's bytes alone, because any service of RFC 862 may be the peer;
 * so a reply is matched by its content (see DatagramLedger). What comes back in time is delivered in the order of
 * sending. What is lost or comes back changed is left out, and the conversation goes on.
 */
export class DatagramConversation implements Conversation {
  readonly #peer: DatagramPeer;
  readonly #where: string;
  readonly #timeout: number;
  readonly #size: number;
  readonly #exact: boolean;
  readonly #window: number;
  readonly #deliver: (bytes: Uint8Array) => Promise<void>;
  readonly #ledger: DatagramLedger;
  readonly #broken = Promise.withResolvers<never>();
  readonly #watch: ReturnType<typeof setInterval>;
  /** By number, as far back as the ledger remembers. */
  readonly #sent = new Map<number, Sent>();
  /** Those that are not yet settled and delivered, in the order of sending. */
  readonly #order: Sent[] = [];
  #orderBytes = 0;
  readonly #counts = {
    received: 0,
    lost: 0,
    late: 0,
    reordered: 0,
    duplicate: 0,
    corrupted: 0,
    surplus: 0,
    stray: 0,
  };
  /** How many of the lost ones did not come back in time; the others came back changed. */
  #timeouts = 0;
  #bytes = 0;
  #lostInARow = 0;
  /** What is wrong with the first wrong datagram. */
  #wrong: string | undefined;
  /** Where the last datagram came from that was not the peer's. */
  #stray = "";
  #delivering = false;
  #closed = false;
  /** Wakes up whoever waits for something to be settled or delivered. */
  #onProgress = () => {};

  /**
   * Opens a socket for datagrams to `address`. `size`: bytes of a datagram at most, where a source is sent; `timeout`:
   * milliseconds to wait for each; `exact`: no keys are awaited, so that the thread may wait for nothing but a reply;
   * `dial`: by what, and which way. `deliver` is handed what comes back. A name is resolved once, to its first
   * address. Throws Failure, also when `signal` aborts before that.
   */
  static async open(
    address: DatagramAddress,
    options: {
      readonly dial: Pick<DialOptions, "engine" | "way">;
      readonly timeout: number;
      readonly size: number;
      readonly exact: boolean;
    },
    deliver: (bytes: Uint8Array) => Promise<void>,
    signal: AbortSignal,
  ): Promise<DatagramConversation> {
    const { host = DEFAULT_HOST, port } = address;
    const where = showAddress({ ...address, host });
    try {
      return new DatagramConversation(
        await DatagramPeer.open({ host, port }, options.dial, signal),
        where,
        options,
        deliver,
      );
    } catch (error) {
      throw failure("send to", where, error);
    }
  }

  private constructor(
    peer: DatagramPeer,
    where: string,
    { timeout, size, exact }: { readonly timeout: number; readonly size: number; readonly exact: boolean },
    deliver: (bytes: Uint8Array) => Promise<void>,
  ) {
    this.#peer = peer;
    this.#where = where;
    this.#timeout = timeout;
    this.#size = size;
    this.#exact = exact;
    this.#window = datagramWindow(size);
    this.#deliver = deliver;
    const memory = Math.min(REMEMBERED, Math.floor(REMEMBERED_BYTES / size));
    this.#ledger = new DatagramLedger((number) => this.#sent.get(number)!.bytes, timeout, memory);
    this.#broken.promise.catch(() => {}); // told to whoever is inside `during`
    this.#watch = setInterval(() => this.#expire(), Math.min(timeout / 10, 100));
    peer.onStray = (from) => {
      this.#counts.stray++;
      this.#stray = from;
    };
    this.#receive();
  }

  get peer(): string {
    return this.#peer.peer;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get summary(): string {
    const { received, lost, late, reordered, duplicate, corrupted, surplus, stray } = this.#counts;
    const rare = Object.entries({ corrupted, surplus, stray }).filter(([, n]) => n > 0);
    return `; ${plural(this.#ledger.sent)} sent, ${received} received, ${lost} lost, ${late} late, ` +
      `${reordered} reordered, ${duplicate} duplicate${rare.map(([name, n]) => `, ${n} ${name}`).join("")}`;
  }

  get fault(): Failure | undefined {
    const { stray } = this.#counts;
    const lost = this.#timeouts;
    const { sent } = this.#ledger;
    const time = showDuration(this.#timeout);
    if (lost > 0 && lost === sent) {
      const hint = stray > 0
        ? `${
          plural(stray)
        } came from ${this.#stray} instead, as from a server that listens on every interface`
        : "nothing listens there, a firewall drops it, or it was lost on the way";
      return new Failure(`no reply from ${this.#where} within ${time}; ${hint}`);
    }
    const faults = [
      ...(this.#wrong === undefined ? [] : [this.#wrong]),
      ...(lost === 0 ? [] : [`${lost} of ${plural(sent)} did not come back within ${time}`]),
    ];
    return faults.length === 0 ? undefined : new Failure(faults.join("; "));
  }

  during<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#broken.promise]);
  }

  /** Sends a datagram for each read of the source; as many are on their way at once as a socket buffer holds. */
  async send(source: Source): Promise<void> {
    const piece = new Uint8Array(this.#size);
    const hopeless = Math.max(HOPELESS, this.#window);
    for (;;) {
      if (this.#lostInARow >= hopeless) {
        throw new Failure(
          `${this.#lostInARow} datagrams in a row were lost, the rest is not sent${this.summary}`,
        );
      }
      if (this.#ledger.onTheirWay >= this.#window || this.#orderBytes >= HELD_BYTES) {
        await this.#progress();
        continue;
      }
      const n = await source.read(piece);
      if (n === null) return;
      await this.#transmit(piece.slice(0, n));
    }
  }

  /** Sends one datagram. Returns the milliseconds until it was back, or undefined if it is lost. */
  async exchange(bytes: Uint8Array): Promise<number | undefined> {
    if (bytes.length > LARGEST_DATAGRAM) {
      throw new Failure(`a datagram takes ${LARGEST_DATAGRAM} bytes, and this line has ${bytes.length}`);
    }
    const begin = performance.now();
    const sent = await this.#transmit(bytes);
    if (this.#exact) this.#peer.expecting(sent.state === "waiting");
    await this.#settledAll();
    return sent.state === "back" ? performance.now() - begin : undefined;
  }

  /** Waits until each datagram is back or lost, and then a moment for second replies. UDP has no end to wait for. */
  async finish(): Promise<boolean> {
    await this.#settledAll();
    if (this.#ledger.sent > 0) await pause(LINGER_MS);
    return true;
  }

  kernelView(): undefined {}

  interrupt(name: string): void {
    this.#break(new Failure(`interrupted by ${name}${this.summary}`));
  }

  close(): void {
    clearInterval(this.#watch);
    this.#closed = true;
    this.#peer.close();
  }

  async #transmit(bytes: Uint8Array): Promise<Sent> {
    const number = this.#ledger.sent;
    const sent: Sent = { number, bytes, state: "waiting" };
    this.#sent.set(number, sent);
    this.#order.push(sent);
    this.#orderBytes += bytes.length;
    const before = this.#ledger.oldest;
    this.#ledger.add(bytes, performance.now());
    for (let old = before; old < this.#ledger.oldest; old++) this.#sent.delete(old);
    try {
      await this.#peer.send(bytes);
    } catch (error) {
      throw failure("send to", this.#where, error);
    }
    return sent;
  }

  async #receive(): Promise<void> {
    try {
      await this.#peer.receive((datagram) => this.#take(datagram), () => {});
    } catch (error) {
      if (!this.#closed) this.#break(failure("receive from", this.#where, error));
    }
  }

  #take(datagram: Uint8Array): void {
    this.#expire();
    const reply = this.#ledger.take(datagram);
    if (reply.kind === "back") {
      if (reply.reordered) this.#counts.reordered++;
      this.#counts.received++;
      this.#bytes += datagram.length;
      this.#lostInARow = 0;
      return this.#settle([reply.number], "back");
    }
    this.#counts[reply.kind]++;
    if (reply.kind === "late") this.#lostInARow = 0;
    if (reply.kind !== "corrupted" && reply.kind !== "surplus") return;
    this.#wrong ??= `${reply.kind}: ${reply.text}`;
    if (reply.kind === "surplus" || reply.number === undefined) return;
    this.#counts.lost++;
    this.#settle([reply.number], "lost");
  }

  #expire(): void {
    const lost = this.#ledger.expireBefore(performance.now() - this.#timeout);
    if (lost.length === 0) return;
    this.#counts.lost += lost.length;
    this.#timeouts += lost.length;
    this.#lostInARow += lost.length;
    this.#settle(lost, "lost");
  }

  #settle(numbers: readonly number[], state: "back" | "lost"): void {
    for (const number of numbers) this.#sent.get(number)!.state = state;
    this.#peer.expecting(false); // an output is the business of Deno's event loop
    if (!this.#delivering) this.#deliverInOrder();
    this.#onProgress();
  }

  /** Delivers beside the receiving: an output that is stuck makes no datagram late. */
  async #deliverInOrder(): Promise<void> {
    this.#delivering = true;
    try {
      for (let sent = this.#order[0]; sent !== undefined && sent.state !== "waiting"; sent = this.#order[0]) {
        if (sent.state === "back") await this.#deliver(sent.bytes);
        this.#order.shift();
        this.#orderBytes -= sent.bytes.length;
      }
    } catch (error) {
      this.#break(error as Error);
    }
    this.#delivering = false;
    this.#onProgress();
  }

  async #settledAll(): Promise<void> {
    while (this.#order.length > 0) await this.#progress();
  }

  #break(error: Error): void {
    clearInterval(this.#watch);
    this.#broken.reject(error);
  }

  #progress(): Promise<void> {
    return new Promise((resolve) => this.#onProgress = resolve);
  }
}

function plural(datagrams: number): string {
  return datagrams === 1 ? "1 datagram" : `${datagrams} datagrams`;
}
