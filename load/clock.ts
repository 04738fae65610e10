/** Sends by the clock, to some microseconds, in an event loop whose timers know milliseconds. */

/** A timer is late by up to two milliseconds; nearer than this, the loop turns instead. */
const NEAR_MS = 3;

/**
 * Where no core is to spare, a thread that never sleeps holds up the others, and a server beside it. Two threads on
 * two cores: with naps, after which a thread wakes within 0.15 ms, p99 was 1 to 2 ms instead of 4 to 7, and p50
 * 0.2 ms instead of 0.06.
 */
const NAP_MS = 0.05;
const AWAKE_MS = 0.15;
/** Nobody writes into it, and so the wait for that is a sleep. */
const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/** As long as a turn takes: with less to wait, turning would make the message late. */
const TURN_MS = 0.01;

/** Messages by the clock: message m of `count` is due at `first + m * interval`, in ms of performance.now(). */
export interface Schedule {
  readonly first: number;
  readonly interval: number;
  readonly count: number;
}

/**
 * Calls `due(i)` when connection `i` of `n` has messages to send, and tells `called` of each of them, and when:
 * message m is on connection m % n. Between messages that are near each other it takes all of one core; with
 * `naps` half of one. Until all are sent, or `stop` aborts, which closes the turner.
 */
export function keepTime(
  { first, interval, count }: Schedule,
  n: number,
  due: (i: number, now: number) => void,
  called: (m: number, now: number) => void,
  turner: Turner,
  naps: boolean,
  stop: AbortSignal,
): void {
  stop.addEventListener("abort", () => turner.close(), { once: true });
  let m = 0;
  const tick = () => {
    if (stop.aborted) return;
    let now = performance.now();
    const next = first + m * interval;
    while (next > now && next < now + TURN_MS) now = performance.now();
    const upto = Math.min(count, Math.floor((now - first) / interval) + 1);
    // A connection sends all that it owes when it is called, so that one call each is enough.
    for (let i = m; i < Math.min(upto, m + n); i++) {
      now = performance.now();
      due(i % n, now);
      for (let of = i; of < upto; of += n) called(of, now);
    }
    m = Math.max(m, upto);
    if (m === count) return;
    const wait = first + m * interval - performance.now();
    if (wait > NEAR_MS) return void setTimeout(tick, wait - NEAR_MS);
    if (naps && wait > AWAKE_MS) Atomics.wait(SLEEP, 0, 0, NAP_MS);
    turner.next().then(tick);
  };
  tick();
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
