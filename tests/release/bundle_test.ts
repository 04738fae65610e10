/** What bundling must not change: how a defect is reported, and what the program may do. */

import { assertEquals } from "@std/assert";
import { ran, succeeds } from "../support/commands.ts";
import { ROOT } from "../support/helpers.ts";
import { BUNDLE } from "../../tools/release/bundle.ts";
import { compiler } from "../../tools/release/denos.ts";
import { compileFor } from "../../tools/release/program.ts";
import { COMPILED_WITH } from "../../tools/runtime/denort.ts";

const ALL_PERMISSIONS = `JSON.stringify(await Promise.all(
  ["net", "read", "write", "env", "sys", "run", "ffi", "import"].map(async (name) =>
    name + ": " + (await Deno.permissions.query({ name })).state
  ),
))`;

/** Takes the place of the command ping. */
const STAND_IN = `export async function run([word]) {
  if (word === "defect") return undefined.rtt;
  console.log(${ALL_PERMISSIONS});
}`;

/** The program with another command instead of ping; it is called `netecho` in `folder`. */
async function changed(folder: string): Promise<string> {
  await succeeds(["cp", "-r", BUNDLE, `${folder}/bundle`]);
  for (const { name } of Deno.readDirSync(BUNDLE)) {
    if (/^ping-.*\.js$/.test(name)) await Deno.writeTextFile(`${folder}/bundle/${name}`, STAND_IN);
  }
  const program = `${folder}/netecho`;
  const target = "x86_64-unknown-linux-gnu";
  await compileFor(target, `${folder}/bundle`, program, await compiler({ version: COMPILED_WITH }));
  return program;
}

Deno.test("the bundled program reports a defect in one line, and may do what deno.json says", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const program = await changed(folder);
    const { code, output } = await ran([program, "ping", "defect"]);
    const why = "Cannot read properties of undefined (reading 'rtt')";
    assertEquals(output, `netecho: unexpected TypeError, please report it: ${why}\n`);
    assertEquals(code, 1);

    await Deno.writeTextFile(`${folder}/all.ts`, `console.log(${ALL_PERMISSIONS});`);
    const asSource = ["run", "--quiet", "-P", "--no-prompt", "--no-lock", "--config", `${ROOT}deno.json`];
    const source = await succeeds([Deno.execPath(), ...asSource, `${folder}/all.ts`]);
    assertEquals(JSON.parse(await succeeds([program, "ping", "all"])), JSON.parse(source));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
