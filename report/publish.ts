/** What becomes of a measurement: a row a format. */

import { print, reportWidth, takeAll, writeFile } from "../cli/output.ts";
import type { Measurement } from "../measure/measurement.ts";
import type { Result } from "../measure/result.ts";
import { hlog } from "./hlog.ts";
import { page } from "./page.ts";
import { report } from "./text.ts";

/** The text of a measurement, or of one beside an older result. */
type Format = (measurement: Measurement, results: readonly Result[]) => string;

const FORMATS = {
  text: ({ notes }, results) => report(results, notes, reportWidth()),
  json: ({ result }) => `${JSON.stringify(result)}\n`,
  page: (_measurement, results) => page(results),
  hlog: ({ result, intervals }) => {
    const comment = `echo ${result.version}, bench ${result.target}, engine ${result.engine}`;
    return hlog(comment, Date.parse(result.started), intervals);
  },
} satisfies Record<string, Format>;

/** Where a format goes; without a path to stdout. */
export interface Publication {
  readonly format: keyof typeof FORMATS;
  readonly path?: string;
}

/**
 * Prints and writes them in their order, `old` beside the measurement where there is one. One that fails costs the
 * others nothing. Throws Failure that names all that failed; OutputClosed where that was only that nobody reads stdout.
 */
export async function publish(
  measurement: Measurement,
  old: Result | undefined,
  publications: readonly Publication[],
): Promise<void> {
  const results = old === undefined ? [measurement.result] : [old, measurement.result];
  await takeAll(publications.map(({ format, path }) => () => {
    const text = FORMATS[format](measurement, results);
    return path === undefined ? print(text) : writeFile(path, text);
  }));
}
