/** The licences of what is in the program besides its own code. */

import type { Compiler } from "./denos.ts";
import { NAME, ROOT } from "./names.ts";
import type { Package } from "./packages.ts";

/** Texts that no package brings: of Deno, of V8, and of packages that come without. */
const OURS = `${ROOT}packaging/licenses`;
const RULE = "=".repeat(78);

/** The text of THIRD-PARTY-LICENSES.txt. Throws Error for a package without a licence. */
export async function licences(packages: readonly Package[], { deno, v8 }: Compiler): Promise<string> {
  const parts = [
    introduction(deno, packages.length),
    section(`Deno ${deno}`, "MIT", await Deno.readTextFile(`${OURS}/deno.txt`)),
    section(`V8 ${v8}`, "BSD-3-Clause", await Deno.readTextFile(`${OURS}/v8.txt`)),
    ...await Promise.all(packages.map(async (one) => section(one.id, one.licence, await textOf(one)))),
  ];
  return parts.join("\n");
}

function introduction(deno: string, count: number): string {
  return `What ${NAME} is made of, besides its own code, whose licence is in LICENSE.

Complete below: the ${count} npm packages that its sources import, Deno, and V8's own code.

Not complete: Deno is linked from some hundred crates of Rust, most of them under
MIT or Apache-2.0, and V8 from further libraries, such as ICU (Unicode-3.0). Deno
publishes no list of their licences. Their names and versions are in
https://github.com/denoland/deno/blob/v${deno}/Cargo.lock
`;
}

function section(title: string, licence: string, text: string): string {
  return `${RULE}\n${title} (${licence})\n${RULE}\n\n${text.replaceAll("\r\n", "\n").trim()}\n`;
}

/** What the package says of its licence, in one file or more; else what is kept here for it. */
async function textOf({ id, name, folder }: Package): Promise<string> {
  const files = [...Deno.readDirSync(folder)].filter(({ name, isFile }) =>
    isFile && /^(licen[cs]e|copying|copyright|notice)[^/]*$/i.test(name)
  ).map(({ name }) => `${folder}/${name}`).sort();
  const ours = `${OURS}/${name.replace(/^@/, "").replace("/", "-")}.txt`;
  try {
    const texts = await Promise.all(
      (files.length === 0 ? [ours] : files).map((path) => Deno.readTextFile(path)),
    );
    return texts.join("\n");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`${id} comes without its licence; write it to ${ours.slice(ROOT.length)}`);
  }
}
