/**
 * Puts the programs of a release into its npm packages. In the folder of the release are, beside the archives, a
 * folder with what is in each, and packages/npm/, both of which `deno task release` leaves there.
 *
 *   deno run -A tools/release/npm.ts dist
 *
 * Prints the folders, as `npm publish` takes them: first the programs, then the package that needs them.
 */

import { npmName } from "./managers.ts";
import { folderOf, VERSION } from "./names.ts";
import { type Target, TARGETS } from "../runtime/targets.ts";

/** Copies the program and the licences, and returns the package's folder. */
function addProgram(dist: string, version: string, target: Target): string {
  const from = `${dist}/${folderOf(target, version)}`;
  const into = `${dist}/packages/npm/${npmName(target)}`;
  Deno.mkdirSync(`${into}/bin`, { recursive: true });
  for (const { name } of Deno.readDirSync(from)) {
    if (/^netecho(\.exe)?$/.test(name)) Deno.copyFileSync(`${from}/${name}`, `${into}/bin/${name}`);
    if (/LICEN[CS]E/.test(name)) Deno.copyFileSync(`${from}/${name}`, `${into}/${name}`);
  }
  return into;
}

/** Returns the folders of the packages in the order to publish them. Throws if a file is not there. */
export function addPrograms(dist: string, version: string): string[] {
  const programs = TARGETS.map((target) => addProgram(dist, version, target));
  const wrapper = `${dist}/packages/npm/netecho`;
  Deno.copyFileSync(new URL("../../LICENSE", import.meta.url), `${wrapper}/LICENSE`);
  return [...programs, wrapper];
}

if (import.meta.main) {
  const [dist, ...more] = Deno.args;
  if (dist === undefined || more.length > 0) {
    console.error("npm: name the folder of the release: deno run -A tools/release/npm.ts dist");
    Deno.exit(2);
  }
  try {
    console.log(addPrograms(dist, VERSION).join("\n"));
  } catch (error) {
    console.error(`npm: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
