/** UDP, the client's side of RFC 862: no connection, so each datagram is looked for by itself. */

import { Buffer } from "node:buffer";
import { type DatagramAddress, showAddress, showPeer } from "../cli/address.ts";
import { ipBytes, showIp } from "../cli/ip.ts";
import { LARGEST_DATAGRAM, showDuration } from "../cli/units.ts";
import type { Dialogue, Source } from "./conversation.ts";
import { dialDatagrams, RECEIVE_BUFFER } from "./datagram.ts";
import { Failure, failure } from "./errors.ts";
import { diagnoseDatagram } from "./verify.ts";

/** Bytes that reach nearly every host in one packet: below the least MTU of IPv6 (1,280), less its headers. */
export const USUAL_DATAGRAM = 1200;
/** How many datagrams, and bytes in them, may be on their way: what the usual socket buffer of 208 KiB holds. */
const WINDOW = 64;
const WINDOW_BYTES = 64 << 10;
/** How much that came back may wait for one before it, so that it is passed on in the order of sending. */
const HELD_BYTES = 16 << 20;
/** What is settled is remembered so far back, to know a late or a doubled reply from a wrong one. */
const REMEMBERED = 8192;
const REMEMBERED_BYTES = 16 << 20;
/** So many lost in a row, or a whole window if that is more, and there is nobody at the other end of a pipe. */
const HOPELESS = 3;

interface Sent {
  /** Counts from 1. */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** performance.now() */
  readonly at: number;
  state: "waiting" | "back" | "lost" | "late";
}

/**
 * Datagrams to an echo service, and what comes of them. The payload is the user's and nothing but that, for any
 * service of RFC 862 may be the peer; so a reply is matched by its content, with the oldest that is still waited
 * for. Where datagrams are equal, one stands for the other: the counts are right, which of them was lost is not
 * known. What comes back in time is delivered in the order of sending; one that does not come within `timeout`
 * milliseconds is given up, and the rest goes on.
 */
export class DatagramConversation implements Dialogue {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #from: string;
  readonly #where: string;
  readonly #timeout: number;
  readonly #size: number;
  readonly #deliver: (bytes: Uint8Array) => Promise<void>;
  readonly #broken = Promise.withResolvers<never>();
  readonly #watch: ReturnType<typeof setInterval>;
  /** Oldest first. */
  readonly #waiting: Sent[] = [];
  #waitingBytes = 0;
  /** From the oldest that is not settled and delivered. */
  readonly #order: Sent[] = [];
  #orderBytes = 0;
  readonly #settled: Sent[] = [];
  #settledBytes = 0;
  readonly #counts = { sent: 0, received: 0, lost: 0, disordered: 0, doubled: 0, late: 0, strays: 0 };
  #bytes = 0;
  #highest = 0;
  #lostInARow = 0;
  #stray = "";
  #delivering = false;
  #closed = false;
  /** Called when something was settled or delivered, by whoever waits for that. */
  #onProgress = () => {};

  /**
   * A socket of its own for datagrams to `address`, of at most `size` bytes where a source is sent. `deliver` is
   * handed what comes back. A name is resolved once, to its first address. Throws Failure; gives up when `signal`
   * aborts.
   */
  static async open(
    address: DatagramAddress,
    options: { readonly timeout: number; readonly size: number },
    deliver: (bytes: Uint8Array) => Promise<void>,
    signal: AbortSignal,
  ): Promise<DatagramConversation> {
    const { host = "127.0.0.1", port } = address;
    const where = showAddress({ ...address, host });
    try {
      const { socket, hostname } = await dialDatagrams(host, signal);
      return new DatagramConversation(socket, { hostname, port }, where, options, deliver);
    } catch (error) {
      throw failure("send to", where, error);
    }
  }

  private constructor(
    socket: Deno.DatagramConn,
    { hostname, port }: { hostname: string; port: number },
    where: string,
    { timeout, size }: { readonly timeout: number; readonly size: number },
    deliver: (bytes: Uint8Array) => Promise<void>,
  ) {
    this.#socket = socket;
    this.#to = { transport: "udp", hostname, port };
    this.#from = canonical(hostname);
    this.#where = where;
    this.#timeout = timeout;
    this.#size = size;
    this.#deliver = deliver;
    this.#broken.promise.catch(() => {}); // told to whoever is inside `during`
    this.#watch = setInterval(() => this.#giveUp(), Math.min(timeout / 10, 100));
    this.#receive();
  }

  get bytes(): number {
    return this.#bytes;
  }

  get summary(): string {
    const { sent, received, lost, disordered, doubled, late, strays } = this.#counts;
    const datagrams = sent === 1 ? "1 datagram" : `${sent} datagrams`;
    return `; ${datagrams} sent, ${received} received, ${lost} lost, ${disordered} out of order, ` +
      `${doubled} doubled, ${late} late${strays === 0 ? "" : `, ${strays} from elsewhere`}`;
  }

  get fault(): Failure | undefined {
    const { sent, lost, late, strays } = this.#counts;
    if (lost + late === 0) return undefined;
    const hint = strays > 0
      ? `${
        strays === 1 ? "1 datagram" : `${strays} datagrams`
      } came from ${this.#stray} instead, as from a server that listens on every interface`
      : "nothing listens there, a firewall drops it, or it was lost on the way";
    const time = showDuration(this.#timeout);
    if (lost + late === sent) return new Failure(`no reply from ${this.#where} within ${time}; ${hint}`);
    return new Failure(`${lost + late} of ${sent} datagrams did not come back within ${time}`);
  }

  during<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#broken.promise]);
  }

  /** Sends all that the source gives, a datagram for each read, and as many at once as a socket buffer holds. */
  async send(source: Source): Promise<void> {
    const piece = new Uint8Array(this.#size);
    const hopeless = Math.max(HOPELESS, Math.min(WINDOW, Math.floor(WINDOW_BYTES / this.#size)));
    for (;;) {
      if (this.#lostInARow >= hopeless) {
        throw new Failure(
          `${this.#lostInARow} datagrams in a row were lost, the rest is not sent${this.summary}`,
        );
      }
      if (!this.#hasRoom()) {
        await this.#progress();
        continue;
      }
      const n = await source.read(piece);
      if (n === null) return;
      await this.#transmit(piece.slice(0, n));
    }
  }

  /** Sends one datagram. Returns the milliseconds until it was back, or undefined when it is given up. */
  async exchange(bytes: Uint8Array): Promise<number | undefined> {
    if (bytes.length > LARGEST_DATAGRAM) {
      throw new Failure(`a datagram takes ${LARGEST_DATAGRAM} bytes, and this line has ${bytes.length}`);
    }
    const begin = performance.now();
    const sent = await this.#transmit(bytes);
    await this.#settledAll();
    return sent.state === "back" ? performance.now() - begin : undefined;
  }

  /** Waits until each datagram has come back or is given up. There is no end that the other end could tell. */
  async finish(): Promise<boolean> {
    await this.#settledAll();
    return true;
  }

  interrupt(name: string): void {
    this.#break(new Failure(`interrupted by ${name}${this.summary}`));
  }

  close(): void {
    clearInterval(this.#watch);
    this.#closed = true;
    this.#socket.close();
  }

  #hasRoom(): boolean {
    return this.#waiting.length < WINDOW && this.#orderBytes < HELD_BYTES &&
      (this.#waiting.length === 0 || this.#waitingBytes + this.#size <= WINDOW_BYTES);
  }

  async #transmit(bytes: Uint8Array): Promise<Sent> {
    const sent: Sent = { number: ++this.#counts.sent, bytes, at: performance.now(), state: "waiting" };
    this.#waiting.push(sent);
    this.#waitingBytes += bytes.length;
    this.#order.push(sent);
    this.#orderBytes += bytes.length;
    try {
      await this.#socket.send(bytes, this.#to);
    } catch (error) {
      throw failure("send to", this.#where, error);
    }
    return sent;
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(RECEIVE_BUFFER);
    try {
      for (;;) {
        const [datagram, from] = await this.#socket.receive(buffer) as [Uint8Array, Deno.NetAddr];
        if (this.#isPeer(from)) {
          this.#match(datagram);
        } else {
          this.#counts.strays++;
          this.#stray = showPeer(from.hostname, from.port);
        }
      }
    } catch (error) {
      if (this.#closed) return;
      this.#break(error instanceof Failure ? error : failure("receive from", this.#where, error));
    }
  }

  #isPeer({ hostname, port }: Deno.NetAddr): boolean {
    return port === this.#to.port && (hostname === this.#to.hostname || canonical(hostname) === this.#from);
  }

  /** Throws Failure if the datagram is none that was sent. */
  #match(datagram: Uint8Array): void {
    const same = ({ bytes }: Sent) =>
      bytes.length === datagram.length && Buffer.compare(bytes, datagram) === 0;
    const index = this.#waiting.findIndex(same);
    const sent = this.#waiting[index];
    if (sent !== undefined) {
      if (sent.number < this.#highest) this.#counts.disordered++;
      this.#highest = Math.max(this.#highest, sent.number);
      this.#counts.received++;
      this.#bytes += datagram.length;
      this.#lostInARow = 0;
      return this.#settle(index, "back");
    }
    const known = this.#settled.findLast((one) => one.state === "lost" && same(one)) ??
      this.#settled.findLast(same);
    if (known === undefined) throw new Failure(this.#showStranger(datagram));
    if (known.state === "lost") {
      known.state = "late";
      this.#counts.lost--;
      this.#counts.late++;
      this.#lostInARow = 0;
    } else {
      this.#counts.doubled++;
    }
  }

  #showStranger(datagram: Uint8Array): string {
    const sent = this.#waiting.find(({ bytes }) => bytes.length === datagram.length) ?? this.#waiting[0];
    if (sent === undefined) return `surplus: a datagram of ${datagram.length} bytes came that was never sent`;
    return `datagram ${sent.number}: ${diagnoseDatagram(sent.bytes, datagram)}`;
  }

  #giveUp(): void {
    const due = performance.now() - this.#timeout;
    while (this.#waiting[0] !== undefined && this.#waiting[0].at <= due) {
      this.#counts.lost++;
      this.#lostInARow++;
      this.#settle(0, "lost");
    }
  }

  #settle(index: number, state: "back" | "lost"): void {
    for (const sent of this.#waiting.splice(index, 1)) {
      sent.state = state;
      this.#waitingBytes -= sent.bytes.length;
      this.#settled.push(sent);
      this.#settledBytes += sent.bytes.length;
    }
    while (this.#settled.length > REMEMBERED || this.#settledBytes > REMEMBERED_BYTES) {
      this.#settledBytes -= this.#settled.shift()?.bytes.length ?? 0;
    }
    if (!this.#delivering) this.#deliverInOrder();
    this.#onProgress();
  }

  /** A stuck output holds up nothing but what is sent: datagrams that have come back are not late for it. */
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

/** One spelling for each address: without the zone, which a received datagram does not tell. */
function canonical(host: string): string {
  const bytes = ipBytes(host.replace(/%.*/, ""));
  return bytes === undefined ? host : showIp(bytes);
}
