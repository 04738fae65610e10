/** What goes to stdout, and the files that a run writes. */

import { Failure, fileReason, OutputClosed, reason } from "../base/errors.ts";
import { UsageError } from "../base/units.ts";

const encoder = new TextEncoder();

/** Writes all of it to stdout. Throws OutputClosed when nobody reads it any more, Failure when it cannot be written. */
export async function output(bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed();
    throw new Failure(`cannot write to stdout: ${reason(error)}`);
  }
}

/** The same for text. */
export function print(text: string): Promise<void> {
  return output(encoder.encode(text));
}

/** A line or a piece of one for a person, on stderr. */
export function note(text: string): void {
  try {
    Deno.stderr.writeSync(encoder.encode(text));
  } catch { /* stderr is closed or full; what counts is on stdout and in the exit code */ }
}

const WIDEST = 80;
const NARROWEST = 40;

/** How many characters a line of a report may have: as many as the terminal shows, where stdout is one; from 40 to 80. */
export function reportWidth(): number {
  if (!Deno.stdout.isTerminal()) return WIDEST;
  return Math.min(WIDEST, Math.max(NARROWEST, Deno.consoleSize().columns));
}

/** Names of our own stdout. Deno opens none of them: they are what any file may be a link to. */
const STDOUT = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/** Throws UsageError unless a file can be written there. One that is there already is left as it is. */
export function checkWritable(path: string): void {
  if (STDOUT.includes(path)) return;
  let existed = true;
  try {
    try {
      Deno.lstatSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      existed = false;
    }
    Deno.openSync(path, { write: true, create: true }).close();
    if (!existed) Deno.removeSync(path);
  } catch (error) {
    throw new UsageError(`cannot write ${JSON.stringify(path)}: ${fileReason(error)}`);
  }
}

/** Throws Failure; OutputClosed where it is stdout, and nobody reads that. */
export async function writeFile(path: string, text: string): Promise<void> {
  if (STDOUT.includes(path)) return await print(text);
  try {
    Deno.writeTextFileSync(path, text);
  } catch (error) {
    throw new Failure(`cannot write ${JSON.stringify(path)}: ${fileReason(error)}`);
  }
}

/**
 * Takes all steps in their order: one that fails costs the others nothing. Throws one Failure that names all that
 * failed; OutputClosed where that was all.
 */
export async function takeAll(steps: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: Failure[] = [];
  let closed: OutputClosed | undefined;
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      if (error instanceof Failure) failures.push(error);
      else if (error instanceof OutputClosed) closed = error;
      else throw error;
    }
  }
  if (failures.length > 0) throw new Failure(failures.map(({ message }) => message).join("; "));
  if (closed !== undefined) throw closed;
}
