/**
 * The program as a few files of JavaScript without packages: smaller than the sources with their packages, and
 * faster to start.
 */

import config from "../../deno.json" with { type: "json" };
import { bundler, done } from "./denos.ts";
import { ROOT } from "./names.ts";

/** The names of the parts depend on the paths of the packages, which must therefore not depend on the machine. */
export const PACKAGES = `${ROOT}.cache/release/packages`;

/** Where the bundle of a release is made. */
export const BUNDLE = `${ROOT}.cache/release/bundle`;

/** Modules of the sources that no import names: the threads. */
export const THREADS = ["threads/server_thread.ts", "load/load_thread.ts"];

/** The modules of the bundle that `deno compile` is told of. */
export const THREAD_MODULES = THREADS.map(nameOf);

/** Where a bundled module looks for a thread: beside itself, and a bundle keeps what is no entry in one folder. */
function nameOf(path: string): string {
  return path.replace(/.*\//, "");
}

/** From the root of the sources, makes it in `folder`, of which nothing else is left. Throws Error. */
export async function bundle(folder: string): Promise<void> {
  if (new Set(THREAD_MODULES).size < THREADS.length) {
    throw new Error(`two threads share a name: ${THREADS.join(", ")}`);
  }
  await removed(folder);
  const flags = ["-q", "--frozen", "--platform", "deno", "--code-splitting", "--minify"];
  const words = [...bundler(), "bundle", ...flags, "--outdir", folder, "main.ts", ...THREADS];
  await done(words, { DENO_DIR: PACKAGES });
  const { permissions, unstable } = config;
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ permissions, unstable }));
  for (const path of THREADS) {
    await Deno.writeTextFile(`${folder}/${nameOf(path)}`, `import "./${path.replace(/ts$/, "js")}";\n`);
  }
}

/** Removes a folder, if there is one. */
export async function removed(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Gives all that is in a folder one mode and one time, in seconds since 1970, since `deno compile` embeds both.
 * Throws Error.
 */
export async function dated(folder: string, time: number): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) await dated(path, time);
    else await Deno.chmod(path, 0o644);
    await Deno.utime(path, time, time);
  }
}
