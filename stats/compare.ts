/** What may be said of two runs: where they were not made alike, and which figures differ by more than they vary. */

import { type Figure, FIGURES, finite, valueOf } from "./figures.ts";
import type { Result } from "./result.ts";

/**
 * Two runs of the same thing differ by less than this factor, or their intervals overlap: of 660 pairs of figures,
 * from 22 runs of 5 s on a quiet machine, 12 passed at 1.3, 8 at 1.4, and none at 1.5.
 */
const CLEAR = 1.5;
/** So many intervals show how much a run varies. */
const INTERVALS = 3;

/** Better or worse; undefined where the runs do not tell. */
export type Verdict = "better" | "worse" | undefined;

/** The names of the options that differ, of those that both have. */
export function differences(old: Result, now: Result): string[] {
  const shared = Object.keys(old.options).filter((key) => Object.hasOwn(now.options, key));
  return shared.filter((key) => old.options[key] !== now.options[key]);
}

/**
 * Only where both runs were made alike, the figure differs clearly, and each interval of the one run is better than
 * each of the other: within a run it may vary by more than from run to run.
 */
export function verdict(row: Figure, old: Result, now: Result): Verdict {
  const { better, varies } = row;
  const [before, after] = [valueOf(row, old), valueOf(row, now)];
  if (better === undefined || varies === undefined || !before || !after) return undefined;
  if (differences(old, now).length > 0) return undefined;
  if (Math.abs(Math.log(after / before)) < Math.log(CLEAR)) return undefined;
  const [a, b] = [old, now].map(({ timeline }) =>
    timeline.map((second) => finite(varies(second))).filter((value) => value !== null)
  ) as [number[], number[]];
  if (Math.min(a.length, b.length) < INTERVALS) return undefined;
  const [low, high] = after > before ? [a, b] : [b, a];
  if (Math.max(...low) >= Math.min(...high)) return undefined;
  return (after > before) === (better > 0) ? "better" : "worse";
}

/** The comparison in sentences. */
export function comparison(old: Result, now: Result): string[] {
  const differ = differences(old, now);
  if (differ.length > 0) {
    const words = differ.map((key) =>
      `${key.replaceAll("_", " ")} (${old.options[key]}, now ${now.options[key]})`
    );
    return [`The runs were not made alike, so none is called better. They differ in ${words.join(", ")}.`];
  }
  const found = FIGURES.map((row) => [row.name, verdict(row, old, now)] as const);
  const of = (which: Verdict) =>
    found.filter(([, verdict]) => verdict === which).map(([name]) => name).join(", ");
  const [better, worse] = [of("better"), of("worse")];
  if (better === "" && worse === "") {
    return [
      `No clear difference. One run each tells only changes by a factor of ${CLEAR} or more, in which all seconds ` +
      "of both runs agree.",
    ];
  }
  return [
    ...(better === "" ? [] : [`Better: ${better}.`]),
    ...(worse === "" ? [] : [`Worse: ${worse}.`]),
    "That is one run each: repeat both, in turns, before you rely on it.",
  ];
}
