/** The server's log: events through LogTape into a sink of our own, which never makes the server wait. */

import { configure, dispose, getLogger, type LogLevel, type LogRecord } from "@logtape/logtape";
import { counted, showDuration, showSize } from "../base/units.ts";

export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = typeof LEVELS[number];
export type Format = "text" | "json";

/** What an event can carry; the names are the keys of `--log-format json`. Durations are in milliseconds. */
export interface Fields {
  readonly client?: number;
  readonly peer?: string;
  readonly address?: string;
  readonly fingerprint?: string;
  readonly subject?: string;
  readonly bytes?: number;
  readonly text?: string;
  readonly reason?: string;
  readonly open?: number;
  readonly served?: number;
  readonly rejected?: number;
  readonly refused?: number;
  readonly failed?: number;
  readonly datagrams?: number;
  readonly threads?: readonly number[];
  readonly count?: number;
  readonly duration_ms?: number;
}

interface Event {
  readonly level: Level;
  /** Written whatever --log-level says: what must be known to connect. */
  readonly always?: boolean;
  readonly meaning: string;
  readonly say: (f: Fields) => string;
}

const totals = (f: Fields) =>
  [
    `${counted(f.served ?? 0, "client")} served`,
    ...(f.datagrams ? [counted(f.datagrams, "datagram")] : []),
    `${showSize(f.bytes ?? 0)} echoed`,
    ...(f.rejected ? [`${f.rejected} rejected`] : []),
    `${f.refused} refused`,
    `${f.failed} failed`,
  ].join(", ");

/** Every event: its level, what it means, and how it reads as text. The README's table is checked against this. */
export const EVENTS = {
  listening: {
    level: "info",
    always: true,
    meaning:
      "the server accepts clients at `address` (the real port, where 0 was asked for); tls: with a certificate of this SHA-256 `fingerprint`",
    say: (f) => `listening on ${f.address}${f.fingerprint ? `, certificate ${f.fingerprint}` : ""}`,
  },
  connected: {
    level: "info",
    meaning:
      "a client has connected; `client` is never used twice, `open` counts those connected now; with --client-ca: `subject` and `fingerprint` of its certificate",
    say: (f) =>
      `#${f.client} connected from ${f.peer} (${f.open} open)` +
      (f.subject === undefined ? "" : `, ${f.subject}, certificate ${f.fingerprint}`),
  },
  message: {
    level: "info",
    meaning:
      "`bytes` were received and are sent back; `text` is a preview, escaped, of at most 120 characters",
    say: (f) => `#${f.client} received ${showSize(f.bytes ?? 0)}: ${f.text}`,
  },
  datagram: {
    level: "info",
    meaning:
      "a datagram of `bytes` came from `peer` and is sent back; `text` is a preview as that of a message",
    say: (f) => `received a datagram of ${showSize(f.bytes ?? 0)} from ${f.peer}: ${f.text}`,
  },
  disconnected: {
    level: "info",
    meaning: "a client has left: `reason`, `duration_ms`, and how many `bytes` were echoed",
    say: (f) =>
      `#${f.client} left ${f.peer}: ${f.reason}, after ${showDuration(f.duration_ms ?? 0)}, ${
        showSize(f.bytes ?? 0)
      } echoed`,
  },
  rejected: {
    level: "info",
    meaning:
      "a client was closed before it was served, for `reason`: its TLS handshake or PROXY header failed",
    say: (f) => `#${f.client} rejected ${f.peer}: ${f.reason}`,
  },
  refused: {
    level: "warn",
    meaning:
      "a client, or a datagram, was turned away for `reason`; at most one line a second, `count` since the last",
    say: (f) =>
      `refused ${f.count === 1 ? f.peer : `${f.count} clients, the last from ${f.peer}`}: ${f.reason}`,
  },
  aborted: {
    level: "info",
    meaning:
      "a client had gone before it was accepted, for `reason`; at most one line a second, `count` since the last",
    say: (f) =>
      `${
        f.count === 1 ? "a client was" : `${f.count} clients were`
      } gone before being accepted on ${f.address}: ${f.reason}`,
  },
  accept_failed: {
    level: "warn",
    meaning:
      "accepting, or receiving a datagram, failed for `reason`; at most one line a second, `count` since the last",
    say: (f) => `cannot accept on ${f.address}: ${f.reason}${f.count === 1 ? "" : ` (${f.count} times)`}`,
  },
  send_failed: {
    level: "warn",
    meaning:
      "a datagram could not be sent back to `peer`, for `reason`; at most one line a second, `count` since the last",
    say: (f) =>
      `cannot answer ${
        f.count === 1 ? f.peer : `${f.count} datagrams, the last from ${f.peer}`
      }: ${f.reason}`,
  },
  state: {
    level: "warn",
    meaning:
      "the answer to SIGUSR2: clients `open` now, in all and by `threads`, and the totals since the start",
    say: (f) =>
      `up ${showDuration(f.duration_ms ?? 0)}, ${f.open} open (${f.threads?.join(" + ")}), ${totals(f)}`,
  },
  reloaded: {
    level: "info",
    meaning:
      "the answer to SIGUSR2: the files were read again; the certificate has this SHA-256 `fingerprint`",
    say: (f) => `read the certificates again, now ${f.fingerprint}`,
  },
  reload_failed: {
    level: "warn",
    meaning: "the answer to SIGUSR2, when a file cannot be used, for `reason`: what was read before stays",
    say: (f) => `keeping the certificates: ${f.reason}`,
  },
  stopping: {
    level: "info",
    meaning: "no more clients are accepted (`reason`: the signal); those `open` are drained",
    say: (f) => `stopping on ${f.reason}: draining ${f.open} open`,
  },
  stopped: {
    level: "info",
    meaning: "the summary: clients `served`, `datagrams` and `bytes` echoed, `refused`, `failed`",
    say: (f) => `stopped after ${showDuration(f.duration_ms ?? 0)}: ${totals(f)}`,
  },
  dropped: {
    level: "warn",
    meaning: "`count` log lines were lost: stderr was not read in time, or could not be written",
    say: (f) =>
      `${counted(f.count ?? 0, "log line")} ${
        f.count === 1 ? "was" : "were"
      } dropped: stderr was not read in time, or could not be written`,
  },
  worker_died: {
    level: "error",
    meaning:
      "a thread of --workers died for `reason`, and its `count` connections with it; it is started again",
    say: (f) => `a worker died, and ${counted(f.count ?? 0, "connection")} with it: ${f.reason}`,
  },
  restart_failed: {
    level: "error",
    meaning: "it could not be started again, for `reason`; the next try is in `duration_ms`",
    say: (f) => `the worker cannot start again, next try in ${showDuration(f.duration_ms ?? 0)}: ${f.reason}`,
  },
  fault: {
    level: "error",
    meaning: "a defect of echo itself, which cost one connection; please report it with `reason`",
    say: (f) => `#${f.client} met a defect of echo, please report: ${f.reason}`,
  },
  stack: {
    level: "debug",
    meaning: "where in the program the fault before it happened: `text`",
    say: (f) => `#${f.client} ${f.text}`,
  },
} satisfies Record<string, Event>;

export type EventName = keyof typeof EVENTS;

/** What the server needs of a log. */
export interface Log {
  /** Whether lines of this event are written at all, so that nobody prepares one in vain. */
  wants(event: EventName): boolean;
  write(event: EventName, fields: Fields): void;
}

const LOGTAPE_LEVELS: Record<Level, LogLevel> = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
};
const CATEGORY = ["echo"];

/** LogTape copies each record for sinks that may keep it; this mark says that ours is done when it returns. */
const IMMEDIATE = Symbol.for("LogTape.sinkSnapshotPolicy.immediate");

/** Sets LogTape up, once in a process. `out` takes whole lines. */
export async function openLog(level: Level, format: Format, out: LineWriter): Promise<Log> {
  const line = format === "json" ? jsonLine : textLine;
  out.onDrop = (count) => line("dropped", Date.now(), { count });
  const sink = Object.assign(
    (record: LogRecord) =>
      out.write(line(record.rawMessage as EventName, record.timestamp, record.properties)),
    { [IMMEDIATE]: true },
  );
  await configure({
    sinks: { sink },
    loggers: [
      { category: CATEGORY, lowestLevel: "debug", sinks: ["sink"] }, // `wanted` chooses
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["sink"] },
    ],
  });
  const logger = getLogger(CATEGORY);
  const wanted = new Set(
    Object.entries<Event>(EVENTS).filter(([, event]) =>
      event.always || LEVELS.indexOf(event.level) >= LEVELS.indexOf(level)
    ).map(([name]) => name),
  );
  return {
    wants: (event) => wanted.has(event),
    write: (event, fields) => {
      if (!wanted.has(event)) return;
      // `emit` with a category takes LogTape's short way: no message template is parsed, no record is copied.
      const record: LogRecord = {
        category: CATEGORY,
        level: LOGTAPE_LEVELS[EVENTS[event].level],
        timestamp: Date.now(),
        rawMessage: event,
        message: [event],
        properties: fields as Record<string, unknown>,
      };
      logger.emit(record);
    },
  };
}

/** Writes what is buffered, waiting at most `ms`, and leaves LogTape as it was. */
export async function closeLog(out: LineWriter, ms: number): Promise<void> {
  await out.flush(ms);
  await dispose();
}

let stampedAt = NaN;
let stamp = "";
function time(timestamp: number): string {
  if (timestamp !== stampedAt) {
    stampedAt = timestamp;
    stamp = new Date(timestamp).toISOString();
  }
  return stamp;
}

function textLine(event: EventName, timestamp: number, fields: Fields): string {
  const { level, say } = EVENTS[event];
  return `${time(timestamp)} ${level.toUpperCase().padEnd(5)} ${say(fields)}\n`;
}

function jsonLine(event: EventName, timestamp: number, fields: Fields): string {
  return JSON.stringify({ time: time(timestamp), level: EVENTS[event].level, event, ...fields }) + "\n";
}

const NEWLINE = 10;

/** How many characters of log may wait; what comes on top of them is dropped and counted. */
const BUFFER_LIMIT = 1 << 20;

/**
 * Lines for a stream that may be slow, stuck or closed: batched, bounded, written without waiting.
 * A synchronous write would stop the whole server as soon as nobody reads its stderr.
 */
export class LineWriter {
  #waiting = "";
  /** The end of a line of which a failed write took the start: it goes out first, so that no line is torn. */
  #rest = new Uint8Array();
  #dropped = 0;
  #busy = false;
  #idle = Promise.resolve();
  readonly #encoder = new TextEncoder();
  readonly #stream: { write(bytes: Uint8Array): Promise<number> };

  /** Makes the line that tells how many were dropped. */
  onDrop: (count: number) => string = (count) => `${count} lines dropped\n`;

  constructor(stream: { write(bytes: Uint8Array): Promise<number> }) {
    this.#stream = stream;
  }

  /** Takes one line, or several. */
  write(lines: string): void {
    if (this.#waiting.length + lines.length > BUFFER_LIMIT) {
      this.#dropped += lines.split("\n").length - 1;
      return;
    }
    this.#waiting += lines;
    if (!this.#busy) this.#idle = this.#pump();
  }

  /** Resolves when everything is written, or after `ms`. */
  async flush(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([this.#idle, new Promise((resolve) => timer = setTimeout(resolve, ms))]);
    clearTimeout(timer);
  }

  async #pump(): Promise<void> {
    this.#busy = true;
    await Promise.resolve(); // what the same turn still logs goes out with it
    while (this.#waiting !== "") {
      const lines = this.#encoder.encode(this.#waiting);
      this.#waiting = "";
      if (!await this.#writeAll(lines)) continue;
      if (this.#dropped > 0) {
        this.#waiting = this.onDrop(this.#dropped) + this.#waiting;
        this.#dropped = 0;
      }
    }
    this.#busy = false;
  }

  /** False if it failed: the stream is closed, or the disk is full. What was lost is told if it recovers. */
  async #writeAll(lines: Uint8Array): Promise<boolean> {
    const bytes = this.#rest.length === 0 ? lines : new Uint8Array([...this.#rest, ...lines]);
    let at = 0;
    try {
      while (at < bytes.length) at += await this.#stream.write(bytes.subarray(at));
      this.#rest = new Uint8Array();
      return true;
    } catch {
      const torn = at === 0 ? this.#rest.length > 0 : bytes[at - 1] !== NEWLINE;
      const end = torn ? bytes.indexOf(NEWLINE, at) + 1 : at;
      this.#rest = bytes.slice(at, end);
      for (const byte of bytes.subarray(end)) if (byte === NEWLINE) this.#dropped++;
      return false;
    }
  }
}
