/** Sends by the clock, to some microseconds, in an event loop whose timers know milliseconds. */

/** A timer is late by up to two milliseconds; nearer than this, the loop turns instead. */
const NEAR_MS = 3;

/** As long as a turn takes: with less to wait, turning would make the message late. */
const TURN_MS = 0.01;

/** Messages that were sent later than this after they were due were held up by ourselves. */
const LATE_MS = 1;

/** How well the clock was kept. */
export interface Punctuality {
  ticks: number;
  late: number;
}

/**
 * Calls `due(i)` when connection `i` of `n` has a message to send: message m of all is due at `begin + m *
 * interval` ms, on connection m % n. Between messages that are near each other it takes all of one core. Until
 * `stop` aborts, which closes the turner, or performance.now() is past `end`.
 */
export function keepTime(
  { begin, interval, end }: { begin: number; interval: number; end: number },
  n: number,
  due: (i: number, now: number) => void,
  turner: Turner,
  stop: AbortSignal,
): Punctuality {
  const punctuality = { ticks: 0, late: 0 };
  stop.addEventListener("abort", () => turner.close(), { once: true });
  let m = 0;
  const tick = () => {
    if (stop.aborted) return;
    let now = performance.now();
    const next = begin + m * interval;
    if (next <= end) { while (next > now && next < now + TURN_MS) now = performance.now(); }
    const upto = Math.max(0, Math.floor((Math.min(now, end) - begin) / interval) + 1);
    if (m < upto) {
      punctuality.ticks++;
      if (now - (begin + m * interval) > LATE_MS) punctuality.late++;
      // Whoever is told sends all that is due: nobody need be told twice.
      for (const last = Math.min(upto, m + n); m < last; m++) due(m % n, now);
      m = upto;
    }
    if (now > end) return;
    const wait = begin + m * interval - now;
    if (wait > NEAR_MS) setTimeout(tick, wait - NEAR_MS);
    else turner.next().then(tick);
  };
  tick();
  return punctuality;
}

/**
 * Turns the event loop without a pause. A chain of setImmediate does so too, and is deaf: tokio then looks for
 * what arrived only every 61st turn, some 50 us late. A byte to oneself, awaited, makes each turn look.
 */
export class Turner {
  readonly #out: Deno.TcpConn;
  readonly #back: Deno.TcpConn;
  readonly #byte = new Uint8Array(1);
  #closed = false;

  private constructor(out: Deno.TcpConn, back: Deno.TcpConn) {
    this.#out = out;
    this.#back = back;
    out.setNoDelay(true);
  }

  /** Owns a connection within this process. It takes half the time that a datagram to oneself does, and less memory. */
  static async open(): Promise<Turner> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const out = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    for (;;) {
      const back = await listener.accept();
      if (back.remoteAddr.port === out.localAddr.port) return new Turner(out, back);
      back.close(); // somebody else on this machine was faster
    }
  }

  /** Resolves in the next turn. */
  async next(): Promise<void> {
    try {
      // Read before write: a byte that is there already ends the read at once, and the loop never looks.
      await Promise.all([this.#back.read(this.#byte), this.#out.write(this.#byte)]);
    } catch (error) {
      if (!this.#closed) throw error;
    }
  }

  close(): void {
    this.#closed = true;
    this.#out.close();
    this.#back.close();
  }
}
