/** The one time that all files of a release carry. */

import { ROOT } from "./names.ts";
import { run } from "../run.ts";

/**
 * Seconds since 1970: SOURCE_DATE_EPOCH (reproducible-builds.org) where it is set, else the time of the commit.
 * Throws Error for a tree that is no commit, since nobody could make that release again.
 */
export async function sourceTime(): Promise<number> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  if (given !== undefined) return seconds(given);
  const changes = await git("status", "--porcelain");
  if (changes !== "") {
    throw new Error(
      `a release is of a commit, and this tree has changes: ${changes.split("\n")[0]}; commit them, ` +
        "or set SOURCE_DATE_EPOCH to try it all the same",
    );
  }
  return seconds(await git("log", "-1", "--format=%ct"));
}

/** A zip has no time before 1980, in seconds since 1970. */
const EARLIEST = Date.UTC(1980, 0, 1) / 1000;

function seconds(text: string): number {
  if (!/^\d{9,10}$/.test(text) || Number(text) < EARLIEST) {
    throw new Error(
      `SOURCE_DATE_EPOCH is ${JSON.stringify(text)}; it is seconds since 1970, from ${EARLIEST} on`,
    );
  }
  return Number(text);
}

async function git(...words: string[]): Promise<string> {
  const { code, output } = await run(["git", "-C", ROOT, ...words]);
  if (code !== 0) {
    throw new Error(`git ${words[0]} failed: ${output.trim()}; outside of a clone, set SOURCE_DATE_EPOCH`);
  }
  return output.trim();
}
