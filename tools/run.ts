/** Runs a program for a tool. */

/** How a program ended. */
export interface Finished {
  readonly code: number;
  /** stdout and stderr, as they came. */
  readonly output: string;
}

/** Runs it to its end, or kills it after `seconds`; on Linux, all that it has started, too. */
export async function run(
  words: readonly string[],
  env: Record<string, string> = {},
  seconds = 600,
): Promise<Finished> {
  return Deno.build.os === "linux"
    ? await runByTimeout(words, env, seconds)
    : await runAlone(words, env, seconds);
}

/**
 * By timeout(1), which systems other than Linux do not have. The output goes through a file: a pipe would wait for
 * whatever the program left running.
 */
async function runByTimeout(
  words: readonly string[],
  env: Record<string, string>,
  seconds: number,
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

/** With the means of Deno alone: stdout first, then stderr. */
export async function runAlone(
  [program = "", ...args]: readonly string[],
  env: Record<string, string>,
  seconds: number,
): Promise<Finished> {
  const signal = AbortSignal.timeout(seconds * 1000);
  const { code, stdout, stderr } = await new Deno.Command(program, { args, env, stdin: "null", signal })
    .output();
  const text = new TextDecoder();
  return { code, output: text.decode(stdout) + text.decode(stderr) };
}
