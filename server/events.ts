/** The events of the server's log: a row each. */

import { counted, showDuration, showSize } from "../base/units.ts";

/** From the most to the least of what is written. */
export const LEVELS = ["debug", "info", "warn", "error"] as const;
/** How grave an event is. */
export type Level = typeof LEVELS[number];

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
  readonly accepted?: number;
  readonly open?: number;
  readonly closing?: number;
  readonly served?: number;
  readonly rejected?: number;
  readonly refused?: number;
  readonly failed?: number;
  readonly datagrams?: number;
  readonly threads?: readonly number[];
  readonly count?: number;
  readonly duration_ms?: number;
}

/** One event: a row of the table. `Keys` are those that it may carry, and no others. */
export interface EventRow<Keys extends keyof Fields = keyof Fields> {
  readonly level: Level;
  /** Written whatever --log-level says: what must be known to connect. */
  readonly always?: boolean;
  /** What its line can have beside `time`, `level` and `event`; one that is not known is left out. */
  readonly keys: readonly Keys[];
  /** What it says, for the manual, in Markdown. */
  readonly meaning: string;
  /** The line as text, without its time and level. */
  say(f: Pick<Fields, Keys>): string;
}

/** A row, its `say` checked against its keys. */
function row<Keys extends keyof Fields>(event: EventRow<Keys>): EventRow<Keys> {
  return event;
}

const TOTALS = [
  "duration_ms",
  "accepted",
  "open",
  "closing",
  "served",
  "datagrams",
  "bytes",
  "rejected",
  "refused",
  "failed",
] as const;

const totals = (f: Pick<Fields, typeof TOTALS[number]>) =>
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
  listening: row({
    level: "info",
    always: true,
    keys: ["address", "fingerprint"],
    meaning:
      "the server accepts clients at `address` (the real port, where 0 was asked for); tls: with a certificate of this SHA-256 `fingerprint`",
    say: (f) => `listening on ${f.address}${f.fingerprint ? `, certificate ${f.fingerprint}` : ""}`,
  }),
  connected: row({
    level: "info",
    keys: ["client", "peer", "open", "subject", "fingerprint"],
    meaning:
      "a client has connected; `client` is never used twice, `open` counts those connected now; with --client-ca: `subject` and `fingerprint` of its certificate",
    say: (f) =>
      `#${f.client} connected from ${f.peer} (${f.open} open)` +
      (f.subject === undefined ? "" : `, ${f.subject}, certificate ${f.fingerprint}`),
  }),
  message: row({
    level: "info",
    keys: ["client", "peer", "bytes", "text"],
    meaning:
      "`bytes` were received and are sent back; `text` is a preview, escaped, of at most 120 characters",
    say: (f) => `#${f.client} received ${showSize(f.bytes ?? 0)}: ${f.text}`,
  }),
  datagram: row({
    level: "info",
    keys: ["peer", "bytes", "text"],
    meaning:
      "a datagram of `bytes` came from `peer` and is sent back; `text` is a preview as that of a message",
    say: (f) => `received a datagram of ${showSize(f.bytes ?? 0)} from ${f.peer}: ${f.text}`,
  }),
  disconnected: row({
    level: "info",
    keys: ["client", "peer", "reason", "duration_ms", "bytes"],
    meaning: "a client has left: `reason`, `duration_ms`, and how many `bytes` were echoed",
    say: (f) =>
      `#${f.client} left ${f.peer}: ${f.reason}, after ${showDuration(f.duration_ms ?? 0)}, ${
        showSize(f.bytes ?? 0)
      } echoed`,
  }),
  rejected: row({
    level: "info",
    keys: ["client", "peer", "reason", "duration_ms", "bytes"],
    meaning:
      "a client was closed before it was served, for `reason`: its TLS handshake or PROXY header failed",
    say: (f) => `#${f.client} rejected ${f.peer}: ${f.reason}`,
  }),
  refused: row({
    level: "warn",
    keys: ["peer", "reason", "count"],
    meaning:
      "a client, or a datagram, was turned away for `reason`; at most one line a second, `count` since the last",
    say: (f) =>
      `refused ${f.count === 1 ? f.peer : `${f.count} clients, the last from ${f.peer}`}: ${f.reason}`,
  }),
  aborted: row({
    level: "info",
    keys: ["address", "reason", "count"],
    meaning:
      "a client had gone before it was accepted, for `reason`; at most one line a second, `count` since the last",
    say: (f) =>
      `${
        f.count === 1 ? "a client was" : `${f.count} clients were`
      } gone before being accepted on ${f.address}: ${f.reason}`,
  }),
  accept_failed: row({
    level: "warn",
    keys: ["address", "reason", "count"],
    meaning:
      "accepting, or receiving a datagram, failed for `reason`; at most one line a second, `count` since the last",
    say: (f) => `cannot accept on ${f.address}: ${f.reason}${f.count === 1 ? "" : ` (${f.count} times)`}`,
  }),
  send_failed: row({
    level: "warn",
    keys: ["peer", "reason", "count"],
    meaning:
      "a datagram could not be sent back to `peer`, for `reason`; at most one line a second, `count` since the last",
    say: (f) =>
      `cannot answer ${
        f.count === 1 ? f.peer : `${f.count} datagrams, the last from ${f.peer}`
      }: ${f.reason}`,
  }),
  state: row({
    level: "warn",
    keys: [...TOTALS, "threads"],
    meaning:
      "the answer to SIGUSR2: clients `open` now, in all and by `threads`; those that were closed and hold a descriptor until they leave (`closing`; TLS on Deno 2.7 alone); the totals since the start",
    say: (f) =>
      `up ${showDuration(f.duration_ms ?? 0)}, ${f.open} open (${f.threads?.join(" + ")}), ` +
      `${f.closing ? `${f.closing} closing, ` : ""}${totals(f)}`,
  }),
  reloaded: row({
    level: "info",
    keys: ["fingerprint"],
    meaning:
      "the answer to SIGUSR2: the files were read again; the certificate has this SHA-256 `fingerprint`",
    say: (f) => `read the certificates again, now ${f.fingerprint}`,
  }),
  reload_failed: row({
    level: "warn",
    keys: ["reason"],
    meaning: "the answer to SIGUSR2, when a file cannot be used, for `reason`: what was read before stays",
    say: (f) => `keeping the certificates: ${f.reason}`,
  }),
  stopping: row({
    level: "info",
    keys: ["reason", "open"],
    meaning: "no more clients are accepted (`reason`: the signal); those `open` are drained",
    say: (f) => `stopping on ${f.reason}: draining ${f.open} open`,
  }),
  stopped: row({
    level: "info",
    keys: TOTALS,
    meaning: "the summary: clients `served`, `datagrams` and `bytes` echoed, `refused`, `failed`",
    say: (f) => `stopped after ${showDuration(f.duration_ms ?? 0)}: ${totals(f)}`,
  }),
  dropped: row({
    level: "warn",
    keys: ["count"],
    meaning: "`count` log lines were lost: stderr was not read in time, or could not be written",
    say: (f) =>
      `${counted(f.count ?? 0, "log line")} ${
        f.count === 1 ? "was" : "were"
      } dropped: stderr was not read in time, or could not be written`,
  }),
  worker_died: row({
    level: "error",
    keys: ["count", "reason"],
    meaning:
      "a thread of --workers died for `reason`, and its `count` connections with it; it is started again",
    say: (f) => `a worker died, and ${counted(f.count ?? 0, "connection")} with it: ${f.reason}`,
  }),
  restart_failed: row({
    level: "error",
    keys: ["reason", "duration_ms"],
    meaning: "it could not be started again, for `reason`; the next try is in `duration_ms`",
    say: (f) => `the worker cannot start again, next try in ${showDuration(f.duration_ms ?? 0)}: ${f.reason}`,
  }),
  fault: row({
    level: "error",
    keys: ["client", "peer", "reason"],
    meaning: "a defect of echo itself, which cost one connection; please report it with `reason`",
    say: (f) => `#${f.client} met a defect of echo, please report: ${f.reason}`,
  }),
  stack: row({
    level: "debug",
    keys: ["client", "text"],
    meaning: "where in the program the fault before it happened: `text`",
    say: (f) => `#${f.client} ${f.text}`,
  }),
};

/** The name of an event, its `event` in the JSON log. */
export type EventName = keyof typeof EVENTS;

/** What an event of this name may carry. */
export type FieldsOf<Name extends EventName> = Pick<Fields, typeof EVENTS[Name]["keys"][number]>;
