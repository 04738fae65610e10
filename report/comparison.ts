/** Two runs compared: whether they were made alike, and which figures differ by more than they vary. */

import { type Figure, FIGURES, finite, valueOf } from "./figures.ts";
import type { Result } from "../measure/result.ts";

/**
 * Two runs must differ by this factor, and by more than their intervals, to be called better or worse. Of 310 pairs of
 * runs of the same thing (5 s each, 90 pairs on a busy machine) none was; with a factor of 1.05 it would be three in five.
 */
const CLEAR_FACTOR = 1.5;
/** With fewer intervals, it is not known how much a run varies. */
const MIN_INTERVALS = 5;

/** Undefined where the runs do not tell. */
export type Verdict = "better" | "worse" | undefined;

/** All that a run was asked for, and the engine, of which an older file tells nothing. */
function conditionsOf({ options, engine }: Result): Result["options"] {
  return engine === undefined ? options : { ...options, engine };
}

/** The names of the options that both runs have and that differ. */
export function differences(old: Result, now: Result): string[] {
  const [before, after] = [conditionsOf(old), conditionsOf(now)];
  return Object.keys(before).filter((key) => Object.hasOwn(after, key) && before[key] !== after[key]);
}

/**
 * Whether the figure is better or worse in the new run. It must differ by more than within either run, and each
 * interval of one run must be better than each of the other. Undefined if not, or if the runs were not made alike.
 */
export function verdict(row: Figure, old: Result, now: Result): Verdict {
  const { better, varies } = row;
  const [before, after] = [valueOf(row, old), valueOf(row, now)];
  if (better === undefined || varies === undefined || !before || !after) return undefined;
  if (differences(old, now).length > 0) return undefined;
  const runs = [old, now].map(({ timeline }) =>
    timeline.map((second) => finite(varies(second))).filter((value) => value !== null)
  );
  if (runs.some((values) => values.length < MIN_INTERVALS)) return undefined;
  const spread = Math.max(...runs.map((values) => Math.max(...values) / Math.min(...values)));
  const factor = after > before ? after / before : before / after;
  if (!(factor >= Math.max(CLEAR_FACTOR, spread))) return undefined;
  const [low = [], high = []] = after > before ? runs : runs.toReversed();
  if (Math.max(...low) >= Math.min(...high)) return undefined;
  return (after > before) === (better > 0) ? "better" : "worse";
}

/** The comparison in sentences. */
export function comparison(old: Result, now: Result): string[] {
  const differ = differences(old, now);
  if (differ.length > 0) {
    const [before, after] = [conditionsOf(old), conditionsOf(now)];
    const words = differ.map((key) =>
      `${key.replaceAll("_", " ")} (${before[key] ?? "none"}, now ${after[key] ?? "none"})`
    );
    return [`The runs were not made alike, so none is called better. They differ in ${words.join(", ")}.`];
  }
  const found = FIGURES.map((row) => [row.name, verdict(row, old, now)] as const);
  const of = (which: Verdict) =>
    found.filter(([, verdict]) => verdict === which).map(([name]) => name).join(", ");
  const [better, worse] = [of("better"), of("worse")];
  if (better === "" && worse === "") {
    return [
      `No clear difference: messages/s or p50 would have to change by a factor of ${CLEAR_FACTOR}, and in every second, ` +
      "for one run each to tell.",
    ];
  }
  return [
    ...(better === "" ? [] : [`Better: ${better}.`]),
    ...(worse === "" ? [] : [`Worse: ${worse}.`]),
    "That is one run each: repeat both, in turns, before you rely on it.",
  ];
}
