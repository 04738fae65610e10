/**
 * Makes all that is published, in dist/: for each system an archive of the program and of what a packager needs, and
 * the sums. It is the same, byte by byte, whenever and wherever it is made from the same commit.
 */

import { parseArgs } from "@std/cli/parse-args";
import { createHash } from "node:crypto";
import { COMPILED_WITH, denort } from "../runtime/denort.ts";
import { type Target, TARGETS } from "../runtime/targets.ts";
import { FLAGS } from "../compile.ts";
import { entriesOf, tarGz, zipped } from "./archive.ts";
import { bundle, PACKAGES, removed, THREAD_MODULES } from "./bundle.ts";
import { BUNDLED_WITH, type Compiler, compiler, done } from "./denos.ts";
import { licences } from "./licences.ts";
import { archiveOf, DIST, folderOf, programOf, ROOT, SBOM, SUMS } from "./names.ts";
import { packages } from "./packages.ts";
import { sbom } from "./sbom.ts";
import { sourceTime } from "./time.ts";

const HELP = `makes dist/: an archive for each system, and ${SUMS}

  --deno PATH  compile with this Deno and the runtimes that it downloads, and not
               with ${COMPILED_WITH}, whose runtimes npm has
  --help       print this`;

/** Compiles the bundle for a target. Throws Error. */
async function program(
  target: Target,
  bundled: string,
  { words, deno }: Compiler,
  official: boolean,
): Promise<void> {
  const flags = FLAGS.filter((flag) => flag !== "--frozen"); // a bundle has no packages
  await done([
    ...words,
    "compile",
    ...flags,
    "--no-lock",
    "--no-check",
    "--no-code-cache", // it would be written to a predictable path in the temp folder
    "--config",
    `${bundled}/deno.json`,
    ...THREAD_MODULES.flatMap((path) => ["--include", `${bundled}/${path}`]),
    "--target",
    target,
    "--output",
    `${DIST}/${programOf(target)}`,
    `${bundled}/main.js`,
  ], { DENO_DIR: PACKAGES, ...(official ? {} : { DENORT_BIN: await denort(target) }) });
  console.log(`compiled ${programOf(target)} with Deno ${deno}`);
}

/** Writes what is beside the program in its folder. */
async function papers(target: Target, written: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(written)) {
    await Deno.mkdir(`${DIST}/${folderOf(target)}/${path}`.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${DIST}/${folderOf(target)}/${path}`, text);
  }
}

/** Writes the archive for a target. */
async function packed(target: Target, time: number): Promise<void> {
  const name = archiveOf(target);
  const entries = await entriesOf(`${DIST}/${folderOf(target)}`);
  const archive = name.endsWith(".zip") ? zipped(entries, time) : await tarGz(entries, time);
  await Deno.writeFile(`${DIST}/${name}`, archive);
  console.log(`packed ${name}: ${archive.length} bytes`);
}

async function sums(): Promise<void> {
  const names = [...Deno.readDirSync(DIST)].filter(({ isFile }) => isFile).map(({ name }) => name).sort();
  const lines = await Promise.all(names.map(async (name) => {
    const sum = createHash("sha256").update(await Deno.readFile(`${DIST}/${name}`)).digest("hex");
    return `${sum}  ${name}\n`;
  }));
  await Deno.writeTextFile(`${DIST}/${SUMS}`, lines.join(""));
}

async function main(): Promise<void> {
  const { deno: path, help } = parseArgs(Deno.args, { string: ["deno"], boolean: ["help"] });
  if (help) return console.log(HELP);
  if (Deno.version.deno !== BUNDLED_WITH) {
    throw new Error(`a release is bundled with Deno ${BUNDLED_WITH}, and this is ${Deno.version.deno}`);
  }
  Deno.chdir(ROOT);
  const time = await sourceTime();
  const compiling = await compiler(path === undefined ? { version: COMPILED_WITH } : { path });
  const bundled = `${ROOT}.cache/release/bundle`;
  await bundle(bundled, time);
  const parts = await packages();
  const written = {
    "LICENSE": await Deno.readTextFile("LICENSE"),
    "THIRD-PARTY-LICENSES.txt": await licences(parts, compiling),
  };
  await removed(DIST);
  for (const target of TARGETS) {
    await Deno.mkdir(`${DIST}/${folderOf(target)}`, { recursive: true });
    await program(target, bundled, compiling, path !== undefined);
    await papers(target, written);
    await packed(target, time);
  }
  await Deno.writeTextFile(`${DIST}/${SBOM}`, sbom(parts, compiling, time));
  await sums();
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(`release: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
