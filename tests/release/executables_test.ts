/** The five programs of dist/, read and not started: whole, and made of the runtime that was checked. */

import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { DIST, programOf } from "../../tools/release/names.ts";
import { COMPILED_WITH, denort } from "../../tools/runtime/denort.ts";
import { checkExecutable, cutRuntime } from "../../tools/runtime/executable.ts";
import { type Target, TARGETS } from "../../tools/runtime/targets.ts";

function program(target: Target): Promise<Uint8Array<ArrayBuffer>> {
  return Deno.readFile(`${DIST}/${programOf(target)}`);
}

function sha512(bytes: Uint8Array): string {
  return createHash("sha512").update(bytes).digest("hex");
}

for (const target of TARGETS) {
  Deno.test(`the program for ${target} is whole, and for no other system`, async () => {
    const bytes = await program(target);
    checkExecutable(bytes, target);
    for (const other of TARGETS) {
      if (other !== target) assertThrows(() => checkExecutable(bytes, other), Error, "it is ", other);
    }
  });

  Deno.test(`the program for ${target} is the checked runtime and what was compiled, and nothing else`, async (t) => {
    const bytes = await program(target);
    await t.step({
      name: `with a runtime of Deno ${COMPILED_WITH}, which npm has`,
      ignore: !Buffer.from(bytes.buffer).includes(`Deno/${COMPILED_WITH}+`),
      fn: async () => {
        const runtime = await Deno.readFile(await denort(target));
        assertEquals(sha512(cutRuntime(bytes, target)), sha512(runtime));
      },
    });
  });
}

Deno.test("one changed byte in the program for Apple's processors is found", async () => {
  const bytes = await program("aarch64-apple-darwin");
  const at = Math.floor(bytes.length / 2);
  bytes[at]! ^= 1;
  const page = Math.floor(at / 4096);
  assertThrows(
    () => checkExecutable(bytes, "aarch64-apple-darwin"),
    Error,
    `page ${page} is not as it was signed`,
  );
});
