/** Code signatures that are right, and those that are not. */

import { assertEquals, assertMatch } from "@std/assert";
import { checkSignature } from "../../../tools/runtime/codesign.ts";
import { checkExecutable } from "../../../tools/runtime/executable.ts";
import { apple, appleCompiled, COMMANDS_END, intel, LINKED_AT, SIGNATURE, STRINGS } from "./macho_samples.ts";
import { faultOf, refusesAllCutOff, survivesAllValues } from "./samples.ts";

const CODE = LINKED_AT + STRINGS;
const DIRECTORY = CODE + 20;
const HASHES = DIRECTORY + 88 + 6;

/** The file with one byte added to. */
function changed(at: number, by = 1): Uint8Array {
  const bytes = apple();
  bytes[at]! += by;
  return bytes;
}

Deno.test("a signed file is refused that is cut off anywhere", () => {
  refusesAllCutOff(apple(), checkSignature);
});

Deno.test("a signature may lie in any field, and the check comes to its end", () => {
  const bytes = apple();
  survivesAllValues(bytes, COMMANDS_END, checkSignature);
  const turned = (start: Uint8Array) => checkSignature(join(bytes.subarray(0, CODE), start));
  survivesAllValues(bytes.slice(CODE), HASHES - CODE, turned);
});

function join(code: Uint8Array, signature: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(code.length + signature.length);
  bytes.set(code);
  bytes.set(signature, code.length);
  return bytes;
}

for (
  const [what, fault, at] of [
    ["the first page is another", /page 0 is not as it was signed/, 3000],
    ["a page between is another", /page 2 is not as it was signed/, 2 * 4096],
    ["the last byte that is signed is another", /page 4 is not as it was signed/, CODE - 1],
    ["a hash is another", /page 1 is not as it was signed/, HASHES + 32],
    ["it does not begin as one", /does not begin with a directory/, CODE],
    ["it has no directory", /has no directory/, DIRECTORY],
    ["it is of other code", /is signed up to 16425, and not to 16424/, DIRECTORY + 35],
    ["it has more pages than there are", /6 pages are signed, and not 5/, DIRECTORY + 31],
    ["it has another hash", /not of SHA-256/, DIRECTORY + 37],
    ["its pages have another size", /not of SHA-256 over pages of 4 KiB/, DIRECTORY + 39],
    ["its hashes are outside", /table of hashes is at/, DIRECTORY + 16],
    ["the file does not end with it", /does not end with its code signature/, SIGNATURE + 12],
  ] as const
) {
  Deno.test(`a code signature is refused: ${what}`, () => {
    assertMatch(faultOf(() => checkSignature(changed(at, at === SIGNATURE + 12 ? -1 : 1))) ?? "", fault);
  });
}

Deno.test("a Mac with Apple's processor is given nothing without a signature, an Intel Mac nothing with a wrong one", () => {
  const target = "aarch64-apple-darwin";
  for (const bytes of [apple(), appleCompiled()]) checkExecutable(bytes, target);
  const processor = apple().subarray(0, 8);
  const unsigned = intel();
  unsigned.set(processor);
  assertEquals(faultOf(() => checkExecutable(unsigned, target)), "it has no code signature");
  checkExecutable(intel(), "x86_64-apple-darwin");
  const signed = apple();
  signed.set(intel().subarray(0, 8));
  assertMatch(faultOf(() => checkExecutable(signed, "x86_64-apple-darwin")) ?? "", /page 0 is not/);
});
