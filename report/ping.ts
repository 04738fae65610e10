/** What `echo ping` prints: a line a reply, and the summary, as text or as JSON objects with bench's names. */

import { hostOf } from "../base/address.ts";
import { type KernelView, showKernelView } from "../base/kernel_view.ts";
import { rounded, showDuration } from "../base/units.ts";
import { milliseconds } from "./figures.ts";
import { Latencies } from "../measure/histogram.ts";
import type { DatagramCounts, Latency, Result } from "../measure/result.ts";

/** What the time of a message was spent on, in milliseconds; `tls` is undefined without a handshake. */
export interface Times {
  readonly connect: number;
  readonly tls: number | undefined;
  readonly echo: number;
}

/** How to print, and what of. */
export interface PingLogOptions {
  readonly json: boolean;
  /** Print nothing but the summary. */
  readonly quiet: boolean;
  /** Whether messages are datagrams. */
  readonly datagrams: boolean;
  /** What moves the bytes. */
  readonly engine: string;
  /** Bytes a message. */
  readonly size: number;
  readonly version: string;
  readonly target: string;
  /** The other end as each line names it: the host and port that were asked for, or the path. */
  readonly peer: string;
  readonly options: Result["options"];
}

/** The last object of `--json`. `messages` are those that came back right, as in bench's. */
export interface PingEnd extends
  Pick<
    Result,
    | "version"
    | "target"
    | "started"
    | "duration_seconds"
    | "options"
    | "messages"
    | "bytes"
    | "errors"
    | "datagrams"
  > {
  /** What moved the bytes: `deno` or `epoll`. */
  readonly engine: string;
  /** What the kernel said of the last TCP connection at its end; null where the engine cannot tell. */
  readonly kernel: {
    readonly rtt_ms: number;
    readonly rtt_var_ms: number;
    readonly retransmits: number;
    readonly mss_bytes: number;
    readonly path_mtu_bytes: number;
  } | null;
  /** The IP address and port that answered; null for a path of this machine, or where none did. */
  readonly peer: string | null;
  readonly transmitted: number;
  readonly received: number;
  readonly corrupted: number;
  readonly lost: number;
  /** Still on their way at the end, and not lost. */
  readonly unfinished: number;
  /** `lost` of the received and lost ones. If nothing came back at all, the unfinished ones count as lost. */
  readonly loss_percent: number;
  readonly latency_ms: Latency & { readonly mdev: number | null };
}

/** Kinds of errors that are no loss, and named in the summary. */
const NAMED_ERRORS = ["corrupted", "surplus", "duplicate"];

/** Counts and prints what became of each message. */
export class PingLog {
  readonly #options: PingLogOptions;
  readonly #print: (text: string) => Promise<void>;
  readonly #latencies = new Latencies();
  readonly #anomalies = { late: 0, reordered: 0, stray: 0 };
  readonly #errors: Record<string, number> = {};
  readonly #started = new Date();
  readonly #begin = performance.now();
  /** The address at the other end, and how each line names it. */
  #address: string | undefined;
  #peer: string;
  #begun = false;
  #view: KernelView | undefined;
  #received = 0;
  // Exact, where the histogram keeps three digits.
  #sum = 0;
  #squares = 0;
  #min = Infinity;
  #max = 0;
  #writing = Promise.resolve();
  #ending = false;

  /** `print` writes to stdout; what it throws comes out of `written`. */
  constructor(options: PingLogOptions, print: (text: string) => Promise<void>) {
    this.#options = options;
    this.#peer = options.peer;
    this.#print = print;
  }

  /** A connection was made, and this address answered; the first time that is the head of all. */
  reached(address: string | undefined): void {
    const { peer, target, json, size, engine } = this.#options;
    this.#address = address;
    const ip = address === undefined || address === peer ? "" : ` (${hostOf(address)})`;
    this.#peer = `${peer}${ip}`;
    if (this.#begun || json) return;
    this.#begun = true;
    this.#line(`ping ${target}${ip}: ${inBytes(size)} a message, engine ${engine}`);
  }

  /** A connection is about to be closed, of which the kernel says this. */
  closing(view: KernelView | undefined): void {
    this.#view = view ?? this.#view;
  }

  /** Message `seq` is back after `ms`. `times` says what they were spent on, where each message has its own connection. */
  reply(seq: number, ms: number, times: Times | undefined): void {
    this.#received++;
    this.#latencies.record(ms);
    this.#sum += ms;
    this.#squares += ms * ms;
    this.#min = Math.min(this.#min, ms);
    this.#max = Math.max(this.#max, ms);
    const parts = times === undefined ? [] : Object.entries(times).filter(([, part]) => part !== undefined);
    if (this.#options.json) {
      const keys = parts.map(([name, part]) => [`${name}_ms`, rounded(part)]);
      return this.#object({
        seq,
        bytes: this.#options.size,
        time_ms: rounded(ms),
        ...Object.fromEntries(keys),
      });
    }
    const shown = parts.map(([name, part]) => ` ${name}=${part.toFixed(3)}`).join("");
    this.#line(
      `${inBytes(this.#options.size)} from ${this.#peer}: seq=${seq}${shown} time=${ms.toFixed(3)} ms`,
    );
  }

  /** An error of message `seq`, or of the connection if `seq` is undefined. `kind` is a key of `errors`. */
  fault(seq: number | undefined, kind: string, text: string): void {
    this.#errors[kind] = (this.#errors[kind] ?? 0) + 1;
    if (this.#options.json) {
      return this.#object({ ...(seq === undefined ? {} : { seq }), error: kind, reason: text });
    }
    this.#line(`from ${this.#peer}: ${seq === undefined ? "" : `seq=${seq} `}${kind}: ${text}`);
  }

  /** These messages are lost, because their connection broke; `fault` was called for that. */
  lost(seqs: readonly number[]): void {
    if (this.#options.json) return seqs.forEach((seq) => this.#object({ seq, lost: "with the connection" }));
    const [first = 0, last = first] = [seqs[0], seqs.at(-1)];
    const which = first === last ? `seq=${first}` : `seq=${first} to ${last}`;
    this.#line(`from ${this.#peer}: ${which} lost with the connection`);
  }

  /** A new connection was made for message `seq`, because the one before broke. */
  reconnected(seq: number): void {
    if (this.#options.json) return this.#object({ seq, new_connection: true });
    this.#line(`to ${this.#peer}: a new connection was made for seq=${seq}`);
  }

  /** Something odd that is no error, of message `seq` or, if that is undefined, of a foreign datagram. */
  noted(anomaly: keyof DatagramCounts, seq: number | undefined, text: string): void {
    this.#anomalies[anomaly]++;
    if (anomaly === "reordered") return; // the lines of the replies show it
    if (this.#options.json) {
      return this.#object({ ...(seq === undefined ? {} : { seq }), note: anomaly, reason: text });
    }
    this.#line(`from ${this.#peer}: ${seq === undefined ? "" : `seq=${seq} `}${anomaly}: ${text}`);
  }

  /** Prints and returns the summary. Of `transmitted` messages so many are `unfinished`: on their way. */
  end(transmitted: number, unfinished: number): PingEnd {
    const end = this.#summary(transmitted, this.#received === 0 ? 0 : unfinished);
    this.#ending = true;
    if (this.#options.json) this.#object(end);
    else this.#text(end).forEach((line) => this.#line(line));
    return end;
  }

  /** The figures so far, in one line. */
  interim(transmitted: number, unfinished: number): string {
    return this.#text(this.#summary(transmitted, unfinished)).slice(2, 4).join(", ");
  }

  /** Resolves when all is written. Throws what `print` throws: OutputClosed or Failure. */
  written(): Promise<void> {
    return this.#writing;
  }

  #summary(transmitted: number, unfinished: number): PingEnd {
    const { version, target, options, size, engine } = this.#options;
    const n = this.#received;
    const mean = this.#sum / n;
    const lost = transmitted - n - unfinished;
    return {
      version,
      target,
      started: this.#started.toISOString(),
      duration_seconds: rounded((performance.now() - this.#begin) / 1000, 6),
      options,
      engine,
      kernel: this.#kernel(),
      peer: this.#address ?? null,
      transmitted,
      received: n,
      corrupted: this.#errors["corrupted"] ?? 0,
      lost,
      unfinished,
      loss_percent: lost === 0 ? 0 : rounded(lost / (n + lost) * 100, 6),
      messages: n,
      bytes: n * size,
      latency_ms: {
        ...this.#latencies.summary(lost),
        ...(n === 0 ? {} : { min: rounded(this.#min), mean: rounded(mean), max: rounded(this.#max) }),
        mdev: n === 0 ? null : rounded(Math.sqrt(Math.max(0, this.#squares / n - mean * mean))),
      },
      errors: this.#errors,
      datagrams: this.#options.datagrams ? this.#anomalies : null,
    };
  }

  #kernel(): PingEnd["kernel"] {
    if (this.#view === undefined) return null;
    const { rtt, rttVar, retransmits, mss, pathMtu } = this.#view;
    return {
      rtt_ms: rounded(rtt),
      rtt_var_ms: rounded(rttVar),
      retransmits,
      mss_bytes: mss,
      path_mtu_bytes: pathMtu,
    };
  }

  #text(end: PingEnd): string[] {
    const { target, transmitted, received, unfinished, loss_percent, duration_seconds, latency_ms } = end;
    const named = NAMED_ERRORS.flatMap((kind) => kind in end.errors ? [`+${end.errors[kind]} ${kind}`] : []);
    const counts = [
      `${transmitted} transmitted`,
      `${received} received`,
      ...named,
      ...Object.entries(end.datagrams ?? {}).flatMap(([name, n]) => n > 0 ? [`${n} ${name}`] : []),
      ...(unfinished > 0 ? [`${unfinished} still on the way`] : []),
      `${Number(loss_percent.toFixed(1))}% loss`,
      `time ${showDuration(duration_seconds * 1000)}`,
    ];
    const ending = `engine ${end.engine}${
      this.#view === undefined ? "" : `; kernel: ${showKernelView(this.#view)}`
    }`;
    const lines = ["", `--- ${target} ping statistics ---`, counts.join(", ")];
    if (received === 0) return [...lines, ending];
    const { min, mean, max, mdev, p50, p90, p99 } = latency_ms;
    const exact = [min, mean, max, mdev].map((ms) => (ms ?? 0).toFixed(3)).join("/");
    lines.push(`rtt min/avg/max/mdev = ${exact} ms`);
    lines.push(`rtt p50/p90/p99 = ${[p50, p90, p99].map(milliseconds).join("/")} ms`);
    return [...lines, ending];
  }

  #object(value: object): void {
    this.#line(JSON.stringify(value));
  }

  #line(line: string): void {
    if (this.#options.quiet && !this.#ending) return;
    this.#writing = this.#writing.then(() => this.#print(`${line}\n`));
    this.#writing.catch(() => {}); // told by `written`
  }
}

function inBytes(size: number): string {
  return size === 1 ? "1 byte" : `${size} bytes`;
}
