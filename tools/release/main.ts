/**
 * Makes all that is published, in dist/: for each system an archive of the program and of what a packager needs, and
 * the sums. It is the same, byte by byte, whenever and wherever it is made from the same commit.
 */

import { parseArgs } from "@std/cli/parse-args";
import { createHash } from "node:crypto";
import { COMPILED_WITH } from "../runtime/denort.ts";
import { checkExecutable } from "../runtime/executable.ts";
import { type Target, TARGETS } from "../runtime/targets.ts";
import { entriesOf, tarGz, zipped } from "./archive.ts";
import { BUNDLE, bundle, dated, removed } from "./bundle.ts";
import { BUNDLED_WITH, type Compiler, compiler } from "./denos.ts";
import { writePackages } from "./managers.ts";
import { archiveOf, DIST, folderOf, programOf, ROOT, SBOM, SUMS, VERSION } from "./names.ts";
import { packages } from "./packages.ts";
import { lay, papers, papersOfLinux } from "./papers.ts";
import { compileFor } from "./program.ts";
import { sbom } from "./sbom.ts";
import { sourceTime } from "./time.ts";

const HELP = `makes dist/: an archive for each system, an SBOM, and ${SUMS}

  --deno PATH  compile with this Deno and the runtimes that it downloads, and not
               with ${COMPILED_WITH}, whose runtimes npm has
  --help       print this`;

/** Writes the program for a target to its folder, and checks that it is whole, since most do not start here. */
async function make(target: Target, compiling: Compiler): Promise<void> {
  const program = `${DIST}/${programOf(target)}`;
  await compileFor(target, BUNDLE, program, compiling);
  try {
    checkExecutable(program, target);
  } catch (error) {
    throw new Error(`${program}: ${(error as Error).message}`);
  }
}

/** Writes the archive for a target, from its folder. */
async function pack(target: Target, time: number): Promise<void> {
  const name = archiveOf(target);
  const entries = await entriesOf(`${DIST}/${folderOf(target)}`);
  const archive = name.endsWith(".zip") ? zipped(entries, time) : await tarGz(entries, time);
  await Deno.writeFile(`${DIST}/${name}`, archive);
  console.log(`${name}: ${(archive.length / 1e6).toFixed(1)} MB`);
}

/** Writes the sums of all files that are in DIST itself. */
async function sums(): Promise<void> {
  const files = [...Deno.readDirSync(DIST)].filter(({ isFile, name }) => isFile && name !== SUMS);
  const names = files.map(({ name }) => name).sort();
  const lines = await Promise.all(names.map(async (name) => {
    const sum = createHash("sha256").update(await Deno.readFile(`${DIST}/${name}`)).digest("hex");
    return `${sum}  ${name}\n`;
  }));
  await Deno.writeTextFile(`${DIST}/${SUMS}`, lines.join(""));
}

/** Throws Error. */
async function main(path: string | undefined): Promise<void> {
  if (Deno.version.deno !== BUNDLED_WITH) {
    throw new Error(`a release is bundled with Deno ${BUNDLED_WITH}, and this is ${Deno.version.deno}`);
  }
  Deno.chdir(ROOT);
  const time = await sourceTime();
  const compiling = await compiler(path === undefined ? { version: COMPILED_WITH } : { path });
  await bundle(BUNDLE);
  await dated(BUNDLE, time);
  const parts = await packages();
  const texts = await papers(parts, compiling);
  await removed(DIST);
  for (const target of TARGETS) {
    await lay(`${DIST}/${folderOf(target)}`, texts);
    if (target.includes("linux")) await lay(`${DIST}/${folderOf(target)}`, await papersOfLinux());
    await make(target, compiling);
    await pack(target, time);
  }
  await Deno.writeTextFile(`${DIST}/${SBOM}`, sbom(parts, compiling, time));
  await sums();
  writePackages(DIST, VERSION);
  await sums(); // with the installer, which has the sums of the archives in it
}

if (import.meta.main) {
  const strange: string[] = [];
  const unknown = (word: string) => void strange.push(word);
  const { deno, help } = parseArgs(Deno.args, { string: ["deno"], boolean: ["help"], unknown });
  if (strange.length > 0 || deno === "") {
    console.error(`release: ${strange[0] ?? "--deno"} is not understood; there are --deno PATH and --help`);
    Deno.exit(2);
  }
  try {
    if (help) console.log(HELP);
    else await main(deno);
  } catch (error) {
    console.error(`release: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
