/** What lies beside the program in its folder. */

import { completions } from "../../cli/completions/completions.ts";
import { manPage } from "../../cli/man.ts";
import { allCommands } from "../../commands/table.ts";
import config from "../../deno.json" with { type: "json" };
import type { Compiler } from "./denos.ts";
import { licences } from "./licences.ts";
import { NAME, ROOT } from "./names.ts";
import type { Package } from "./packages.ts";

/** Texts by their paths. */
export type Papers = Readonly<Record<string, string>>;

/** Those for every system. Throws Error. */
export async function papers(packages: readonly Package[], compiler: Compiler): Promise<Papers> {
  const commands = await allCommands();
  return {
    [`${NAME}.1`]: manPage({ name: NAME, version: config.version, date: config.released, commands }),
    [`completions/${NAME}.bash`]: completions("bash", NAME, commands),
    [`completions/_${NAME}`]: completions("zsh", NAME, commands),
    [`completions/${NAME}.fish`]: completions("fish", NAME, commands),
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
