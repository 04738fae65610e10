/** The npm packages that the program is made of. */

import { PACKAGES, THREADS } from "./bundle.ts";
import { done } from "./denos.ts";
import { ROOT } from "./names.ts";

/** A package in the program. */
export interface Package {
  /** Name and version, as `npm install` takes them. */
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** Whether the sources import it, and not only another package. */
  readonly direct: boolean;
  /** The licence as its package.json has it, an SPDX expression. */
  readonly licence: string;
  /** SHA-512 of the package as published, in base64. */
  readonly sha512: string;
  /** The `id` of each package that it imports. */
  readonly dependencies: readonly string[];
  /** Where it lies. */
  readonly folder: string;
}

/** What `deno info --json` says of a program: of each module, and of all packages of deno.lock by their ids. */
interface Infos {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<Record<string, Info>>;
}

interface Info {
  readonly name: string;
  readonly version: string;
  readonly dependencies: readonly string[];
  readonly localPath: string;
}

function locked(): Record<string, { readonly integrity: string }> {
  return JSON.parse(Deno.readTextFileSync(`${ROOT}deno.lock`)).npm;
}

/**
 * Those that the modules of the program import, and what these need, sorted. A few of them may leave nothing in the
 * bundle. Throws Error.
 */
export async function packages(): Promise<Package[]> {
  const all = new Map<string, Info>();
  const direct = new Set<string>();
  for (const module of ["main.ts", ...THREADS]) {
    const words = [Deno.execPath(), "info", "--quiet", "--frozen", "--json", module];
    const { modules, npmPackages }: Infos = JSON.parse(await done(words, { DENO_DIR: PACKAGES }));
    for (const [id, info] of Object.entries(npmPackages)) all.set(id, info);
    for (const { npmPackage } of modules) if (npmPackage !== undefined) direct.add(npmPackage);
  }
  const needed = new Set(direct);
  for (const id of needed) all.get(id)?.dependencies.forEach((other) => needed.add(other));
  const found = [...all].filter(([id]) => needed.has(id)).sort(([a], [b]) => a < b ? -1 : 1);
  return await Promise.all(found.map(([id, info]) => packageOf(info, direct.has(id))));
}

async function packageOf(info: Info, direct: boolean): Promise<Package> {
  const { name, version, dependencies, localPath } = info;
  const id = `${name}@${version}`;
  const { license } = JSON.parse(await Deno.readTextFile(`${localPath}/package.json`));
  const [, sha512] = /^sha512-(.*)$/.exec(locked()[id]?.integrity ?? "") ?? [];
  if (sha512 === undefined) throw new Error(`deno.lock has no sha512 of ${id}`);
  if (typeof license !== "string") throw new Error(`${id} names no licence in its package.json`);
  return {
    id,
    name,
    version,
    direct,
    licence: license,
    sha512,
    dependencies,
    folder: localPath,
  };
}
