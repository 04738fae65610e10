/** What lies beside the program in its folder. */

import type { Compiler } from "./denos.ts";
import { licences } from "./licences.ts";
import { NAME, ROOT } from "./names.ts";
import type { Package } from "./packages.ts";

/** Texts by their paths. */
export type Papers = Readonly<Record<string, string>>;

/** Those for every system. Throws Error. */
export async function papers(packages: readonly Package[], compiler: Compiler): Promise<Papers> {
  return {
    "LICENSE": await Deno.readTextFile(`${ROOT}LICENSE`),
    "THIRD-PARTY-LICENSES.txt": await licences(packages, compiler),
  };
}

/** Those for Linux alone. */
export async function papersOfLinux(): Promise<Papers> {
  const unit = `systemd/${NAME}.service`;
  return { [unit]: await Deno.readTextFile(`${ROOT}packaging/${unit}`) };
}

/** Writes them into a folder. */
export async function lay(folder: string, texts: Papers): Promise<void> {
  for (const [path, text] of Object.entries(texts)) {
    await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${folder}/${path}`, text, { mode: 0o644 });
  }
}
