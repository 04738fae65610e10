/** The server's log: events through LogTape into a sink of our own, which never makes the server wait. */

import { configure, dispose, getLogger, type LogLevel, type LogRecord } from "@logtape/logtape";
import {
  type EventName,
  type EventRow,
  EVENTS,
  type Fields,
  type FieldsOf,
  type Level,
  LEVELS,
} from "./events.ts";
import type { LineWriter } from "./line_writer.ts";

/** Lines to read, or one JSON object a line. */
export type Format = "text" | "json";

/** What the server needs of a log. */
export interface Log {
  /** Whether lines of this event are written at all, so that nobody prepares one in vain. */
  wants(event: EventName): boolean;
  /** Logs one event, if lines of it are written; returns at once. */
  write<Name extends EventName>(event: Name, fields: FieldsOf<Name>): void;
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
    Object.entries<EventRow>(EVENTS).filter(([, event]) =>
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
