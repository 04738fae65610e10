/** An echo of datagrams on a way that does to each of them what a test says, and keeps the books. */

/** Held: until the next one of the same client is back. Changed: one byte in the middle is another. */
export type Fate = "through" | "dropped" | "doubled" | "delayed" | "held" | "changed";

export class DatagramProxy implements Disposable {
  /** How many had each fate. */
  readonly counts: Record<Fate, number> = {
    through: 0,
    dropped: 0,
    doubled: 0,
    delayed: 0,
    held: 0,
    changed: 0,
  };
  /** How many each client sent. */
  readonly #seen = new Map<number, number>();
  readonly #held = new Map<number, Uint8Array>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #fate: (number: number) => Fate;
  readonly #delay: number;

  /** `fate` of the datagram of this number, from 1, of a client; `delay`: milliseconds of those delayed. */
  constructor(fate: (number: number) => Fate, delay: number) {
    this.#fate = fate;
    this.#delay = delay;
    this.#run().catch(() => {}); // it is closed at the end of the test
  }

  get address(): string {
    return `udp://127.0.0.1:${(this.#socket.addr as Deno.NetAddr).port}`;
  }

  async send(datagram: Uint8Array, to: Deno.Addr): Promise<void> {
    await this.#socket.send(datagram, to);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#socket.close();
  }

  async #run(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const [datagram, from] = await this.#socket.receive(buffer);
      const { port } = from as Deno.NetAddr;
      const number = (this.#seen.get(port) ?? 0) + 1;
      this.#seen.set(port, number);
      // One that is held lets all go before it, and only one at a time is.
      const held = this.#held.get(port);
      const wanted = this.#fate(number);
      const fate = wanted === "held" && held !== undefined ? "through" : wanted;
      this.counts[fate]++;
      await this.#pass(fate, datagram, from, port);
      if (held === undefined || fate === "dropped" || fate === "delayed" || fate === "changed") continue;
      this.#held.delete(port);
      await this.send(held, from);
    }
  }

  async #pass(fate: Fate, datagram: Uint8Array, from: Deno.Addr, port: number): Promise<void> {
    if (fate === "dropped") return;
    if (fate === "held") return void this.#held.set(port, datagram.slice());
    if (fate === "delayed") return this.#later(datagram.slice(), from);
    if (fate === "changed") datagram[datagram.length >> 1]! ^= 0x5a;
    await this.send(datagram, from);
    if (fate === "doubled") await this.send(datagram, from);
  }

  #later(datagram: Uint8Array, to: Deno.Addr): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.send(datagram, to).catch(() => {}); // it is closed
    }, this.#delay);
    this.#timers.add(timer);
  }
}
