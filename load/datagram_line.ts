/** Messages as datagrams (UDP): each comes back whole, in any order, twice, or not at all; told by its content. */

import { Buffer } from "node:buffer";
import { type NetAddress, showAddress } from "../cli/address.ts";
import { dialDatagrams, RECEIVE_BUFFER } from "../net/datagram.ts";
import { failure } from "../net/errors.ts";
import { Messages } from "../net/messages.ts";
import { diagnoseDatagram } from "../net/verify.ts";
import { type Fault, fault, type Line, type Owner } from "./line.ts";

/**
 * How many datagrams are remembered, on their way or not, to tell a late one and a second one from a foreign one.
 * More cannot be on their way: the oldest is given up then.
 */
const REMEMBERED = 1 << 16;
/** With how many of those on their way one is compared that is like none. */
const SUSPECTS = 64;
const HEAD = 6;

interface Entry {
  readonly k: number;
  readonly head: number;
  readonly sentAt: number;
  state: "out" | "back" | "lost";
}

export class DatagramLine implements Line {
  readonly handshakeMs = undefined;
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #messages: Messages;
  readonly #size: number;
  readonly #buffer = new Uint8Array(RECEIVE_BUFFER);
  /** Message `k` at `k % REMEMBERED`. */
  readonly #entries: Entry[] = [];
  /** Those same, by their first bytes: more than one where messages are short. */
  readonly #byHead = new Map<number, Entry[]>();
  #sent = 0;
  /** All messages before this one are back or given up. */
  #settled = 0;
  #lost = 0;
  #sending = false;
  #closed = false;
  /** Why sending failed. */
  #failed: unknown;

  constructor(socket: Deno.DatagramConn, to: Deno.NetAddr, messages: Messages, size: number) {
    this.#socket = socket;
    this.#to = to;
    this.#messages = messages;
    this.#size = size;
  }

  get broken(): boolean {
    return this.#failed !== undefined;
  }

  async attend(owner: Owner): Promise<void> {
    try {
      for (;;) {
        const [bytes, from] = await this.#socket.receive(this.#buffer);
        if (this.#closed) return;
        const now = performance.now();
        if ((from as Deno.NetAddr).port === this.#to.port) this.#sort(bytes, owner, now);
        owner.arrived(now);
        // Sending never waits for the other end, so that nothing is lost by waiting for it here.
        if (!this.#sending) await this.#send(owner, now);
      }
    } catch (error) {
      if (!this.#closed) throw fault(this.#failed ?? error);
    }
  }

  nudge(owner: Owner, now: number): void {
    if (this.#sending) return;
    this.#send(owner, now).catch((error) => {
      if (this.#closed) return;
      this.#failed = error;
      this.#socket.close(); // so that `attend` ends and tells
    });
  }

  giveUp(time: number): number {
    while (this.#settled < this.#sent && this.#at(this.#settled).sentAt < time) this.#settleOldest();
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  located(fault: Fault): Fault {
    return fault;
  }

  finish(): void {
    this.close();
  }

  close(): void {
    if (!this.#closed && this.#failed === undefined) this.#socket.close();
    this.#closed = true;
  }

  /** Sends what the owner wants, until that is nothing. */
  async #send(owner: Owner, at: number): Promise<void> {
    this.#sending = true;
    for (let now = at;; now = performance.now()) {
      const n = owner.wanted(now);
      if (n === 0) break;
      for (let left = n; left > 0; left--) {
        const k = this.#sent;
        const message = this.#messages.message(k * this.#size, this.#size);
        this.#remember({ k, head: head(message), sentAt: now, state: "out" });
        await this.#socket.send(message, this.#to);
        if (this.#closed) return;
      }
    }
    this.#sending = false;
  }

  #sort(bytes: Uint8Array, owner: Owner, now: number): void {
    const known = this.#byHead.get(head(bytes))?.filter(({ k }) =>
      bytes.length === this.#size &&
      this.#messages.matching(bytes, bytes.length, k * this.#size) === bytes.length
    ) ?? [];
    const entry = known.find(({ state }) => state === "out");
    if (entry !== undefined) {
      entry.state = "back";
      return owner.back(entry.k, entry.sentAt, now);
    }
    if (known.some(({ state }) => state === "back")) {
      return owner.wrong("duplicate", `message ${known[0]!.k + 1} came back twice`);
    }
    if (known.length === 0) owner.wrong("corrupted", this.#explain(bytes));
  }

  /** Which of those on their way it was meant to be: the one it has most bytes in common with, at start and end. */
  #explain(bytes: Uint8Array): string {
    let best = 0;
    let text = `a datagram of ${bytes.length} bytes came that was never sent`;
    for (let k = this.#sent - 1; k >= this.#settled && this.#sent - k <= SUSPECTS; k--) {
      if (this.#at(k).state !== "out") continue;
      const offset = k * this.#size;
      const sent = this.#messages.message(offset, this.#size);
      const right = this.#messages.matching(bytes, Math.min(bytes.length, this.#size), offset);
      const alike = right + commonEnd(sent, bytes);
      if (alike <= best) continue;
      best = alike;
      text = `message ${k + 1}: ${diagnoseDatagram(sent, bytes, offset)}`;
    }
    return text;
  }

  #at(k: number): Entry {
    return this.#entries[k % REMEMBERED]!;
  }

  #settleOldest(): void {
    const entry = this.#at(this.#settled++);
    if (entry.state !== "out") return;
    entry.state = "lost";
    this.#lost++;
  }

  #remember(entry: Entry): void {
    if (entry.k - this.#settled === REMEMBERED) this.#settleOldest();
    const forgotten = this.#entries[entry.k % REMEMBERED];
    if (forgotten !== undefined) {
      const alike = this.#byHead.get(forgotten.head) ?? [];
      alike.splice(alike.indexOf(forgotten), 1);
      if (alike.length === 0) this.#byHead.delete(forgotten.head);
    }
    this.#entries[entry.k % REMEMBERED] = entry;
    const alike = this.#byHead.get(entry.head);
    if (alike === undefined) this.#byHead.set(entry.head, [entry]);
    else alike.push(entry);
    this.#sent = entry.k + 1;
  }
}

/** A socket of its own for datagrams to this address. Throws Failure; gives up when `signal` aborts. */
export async function openDatagrams(
  address: NetAddress,
  messages: Messages,
  size: number,
  signal: AbortSignal,
): Promise<DatagramLine> {
  const { host = "127.0.0.1", port } = address;
  try {
    const { socket, hostname } = await dialDatagrams(host, signal);
    return new DatagramLine(socket, { transport: "udp", hostname, port }, messages, size);
  } catch (error) {
    throw failure("reach", showAddress({ ...address, host }), error);
  }
}

/** The first bytes as one number. */
function head(bytes: Uint8Array): number {
  const n = Math.min(bytes.length, HEAD);
  return n === 0 ? 0 : Buffer.from(bytes.buffer, bytes.byteOffset, n).readUIntBE(0, n);
}

function commonEnd(a: Uint8Array, b: Uint8Array): number {
  let n = 0;
  while (n < a.length && n < b.length && a[a.length - 1 - n] === b[b.length - 1 - n]) n++;
  return n;
}
