/**
 * The program as a few files of JavaScript without packages: smaller than the sources with their packages, and
 * faster to start.
 */

import config from "../../deno.json" with { type: "json" };
import { THREADS } from "../compile.ts";
import { done } from "./denos.ts";
import { ROOT } from "./names.ts";

/** The names of the parts depend on the paths of the packages, which must therefore not depend on the machine. */
export const PACKAGES = `${ROOT}.cache/release/packages`;

/** Where the bundle of a release is made. */
export const BUNDLE = `${ROOT}.cache/release/bundle`;

/** The modules of the bundle that `deno compile` is told of. */
export const THREAD_MODULES = THREADS.map(nameOf);

/** Where a bundled module looks for a thread: beside itself, and a bundle keeps what is no entry in one folder. */
function nameOf(path: string): string {
  return path.replace(/.*\//, "");
}

/**
 * From the root of the sources, makes it in `folder`, of which nothing else is left. All files carry `time`, in seconds
 * since 1970. Throws Error.
 */
export async function bundle(folder: string, time: number): Promise<void> {
  if (new Set(THREAD_MODULES).size < THREADS.length) {
    throw new Error(`two threads share a name: ${THREADS.join(", ")}`);
  }
  await removed(folder);
  const flags = ["-q", "--frozen", "--platform", "deno", "--code-splitting", "--minify"];
  const words = [Deno.execPath(), "bundle", ...flags, "--outdir", folder, "main.ts", ...THREADS];
  await done(words, { DENO_DIR: PACKAGES });
  const { permissions, unstable } = config;
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ permissions, unstable }));
  for (const path of THREADS) {
    await Deno.writeTextFile(`${folder}/${nameOf(path)}`, `import "./${path.replace(/ts$/, "js")}";\n`);
  }
  await dated(folder, time);
}

/** Removes a folder, if there is one. */
export async function removed(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** `deno compile` embeds the times and the modes of the files. */
async function dated(folder: string, time: number): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await dated(path, time);
    else await Deno.chmod(path, 0o644);
    await Deno.utime(path, time, time);
  }
}
