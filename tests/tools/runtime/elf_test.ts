/** ELF files that are whole, cut off, or lie about themselves. */

import { assertEquals, assertMatch } from "@std/assert";
import { checkElf, cutElf, ELF_MACHINE } from "../../../tools/runtime/elf.ts";
import { faultOf, filled, joined, refusesAllCutOff, survivesAllValues } from "./samples.ts";

const [PROGRAMS, CODE, SECTIONS, END] = [64, 120, 136, 264];

/** A header, one segment with the code, and the headers of the two sections: none, and names. */
function sample(...changes: Parameters<typeof filled>[1]): Uint8Array {
  const segment = [[PROGRAMS, 4, 1], [PROGRAMS + 16, 8, 0x1000], [PROGRAMS + 32, 8, SECTIONS], [
    PROGRAMS + 48,
    8,
    0x1000,
  ]] as const;
  const names = [[SECTIONS + 68, 4, 3], [SECTIONS + 88, 8, CODE], [SECTIONS + 96, 8, 16]] as const;
  return filled(END, [
    ...[[0, 4, 0x464c457f], [4, 2, 0x0102], [16, 2, 3], [18, 2, ELF_MACHINE.x86_64]] as const,
    ...[[24, 8, 0x1000 + CODE], [32, 8, PROGRAMS], [40, 8, SECTIONS]] as const,
    ...[[54, 2, 56], [56, 2, 1], [58, 2, 64], [60, 2, 2], [62, 2, 1]] as const,
    ...segment,
    ...names,
    ...changes,
  ]);
}

const check = (bytes: Uint8Array) => checkElf(bytes, ELF_MACHINE.x86_64);

/** As `deno compile` appends it: the data, then magic, hash, and the length with these 16 bytes. */
function compiled(runtime: Uint8Array, data: string): Uint8Array {
  return joined(runtime, data, filled(16, [[0, 4, 0x501e], [8, 8, data.length + 16]]));
}

Deno.test("an ELF file is refused that is cut off anywhere", () => {
  refusesAllCutOff(sample(), check);
});

Deno.test("an ELF file may lie in any field, and the check comes to its end", () => {
  survivesAllValues(sample(), END, check);
});

for (
  const [what, fault, ...changes] of [
    ["another magic", /not an ELF file/, [0, 4, 0x464c457e]],
    ["32 bits", /not of 64 bits/, [4, 2, 0x0101]],
    ["big-endian", /not of 64 bits, little-endian/, [4, 2, 0x0202]],
    ["another processor", /for machine 183, not 62/, [18, 2, ELF_MACHINE.aarch64]],
    ["an object that is not linked", /not an executable/, [16, 2, 1]],
    ["an entry point outside", /entry point/, [24, 8, 0x5000]],
    ["a segment outside", /a segment is at 0 to 265/, [PROGRAMS + 32, 8, 265]],
    ["a segment at the end of 64 bits", /a segment is at/, [PROGRAMS + 8, 8, 2 ** 63]],
    ["a segment that begins within a page", /does not begin with a page/, [PROGRAMS + 48, 8, 0x2000]],
    ["section headers outside", /section headers is at 137 to 265/, [40, 8, SECTIONS + 1]],
    ["a section outside", /a section is at 255 to 271/, [SECTIONS + 88, 8, 255]],
    ["program headers of another size", /program headers have a strange size/, [54, 2, 32]],
    ["section headers of another size", /section headers have a strange size/, [58, 2, 40]],
    ["program headers outside", /program headers is at 209 to 265/, [32, 8, END - 55]],
    ["no names of sections", /no section of names/, [62, 2, 2]],
  ] as const
) {
  Deno.test(`an ELF file is refused: ${what}`, () => {
    assertMatch(faultOf(() => check(sample(...changes))) ?? "", fault);
  });
}

Deno.test("the runtime is cut out of a compiled ELF file, and both are whole", () => {
  const program = compiled(sample(), "the program");
  check(program);
  assertEquals(cutElf(program), sample());
});

Deno.test("nothing is cut out of an ELF file whose end is not as `deno compile` makes it", () => {
  assertMatch(faultOf(() => cutElf(sample())) ?? "", /does not end as a compiled program/);
  const wrong = compiled(joined(sample(), "x"), "the program");
  assertMatch(faultOf(() => cutElf(wrong)) ?? "", /section headers end at 264, and the runtime at 265/);
  assertMatch(faultOf(() => cutElf(filled(16, [[0, 4, 0x501e], [8, 8, 99]]))) ?? "", /the file ends at/);
});
