/** Runs a program for a tool. */

/** How a program ended. */
export interface Finished {
  readonly code: number;
  /** stdout and stderr, as they came. */
  readonly output: string;
}

/**
 * Runs it to its end, or kills it after `seconds`. Its output goes through a file: a pipe would wait for whatever
 * the program left running.
 */
export async function run(
  words: readonly string[],
  env: Record<string, string> = {},
  seconds = 600,
): Promise<Finished> {
  const log = await Deno.makeTempFile();
  try {
    const { code } = await new Deno.Command("timeout", {
      args: [
        "-k",
        "10",
        String(seconds),
        "sh",
        "-c",
        'exec "$@" >"$OUTPUT_FILE" 2>&1 </dev/null',
        "sh",
        ...words,
      ],
      env: { ...env, OUTPUT_FILE: log },
    }).spawn().status;
    return { code, output: await Deno.readTextFile(log) };
  } finally {
    await Deno.remove(log);
  }
}
