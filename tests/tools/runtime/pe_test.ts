/** PE files that are whole, cut off, or lie about themselves. */

import { assertEquals, assertMatch } from "@std/assert";
import { Fields } from "../../../tools/runtime/fields.ts";
import { checkPe, cutPe, PE_MACHINE } from "../../../tools/runtime/pe.ts";
import { faultOf, filled, joined, refusesAllCutOff, survivesAllValues } from "./samples.ts";

const [HEADER, OPTIONAL, SECTIONS, CODE, END] = [64, 88, 328, 1024, 1536];
const DIRECTORIES = OPTIONAL + 112;

type Changes = Parameters<typeof filled>[1];

/** Headers up to 1024, and one section of 512 bytes, at 0x1000 in memory. */
function sample(...changes: Changes): Uint8Array {
  const bytes = filled(END, [
    ...[[0, 2, 0x5a4d], [0x3c, 4, HEADER], [HEADER, 4, 0x4550], [HEADER + 4, 2, PE_MACHINE.x86_64]] as const,
    ...[[HEADER + 6, 2, 1], [HEADER + 20, 2, 240], [OPTIONAL, 2, 0x20b]] as const,
    ...[[OPTIONAL + 16, 4, 0x1000], [OPTIONAL + 32, 4, 0x1000], [OPTIONAL + 36, 4, 512], [
      OPTIONAL + 56,
      4,
      0x2000,
    ]] as const,
    ...[[OPTIONAL + 60, 4, CODE], [OPTIONAL + 108, 4, 16]] as const,
    ...section(SECTIONS, 0x1000, CODE, 512),
    ...changes,
  ]);
  bytes.set(new TextEncoder().encode(".text"), SECTIONS);
  return bytes;
}

function section(at: number, address: number, offset: number, size: number): Changes {
  return [[at + 8, 4, size], [at + 12, 4, address], [at + 16, 4, size], [at + 20, 4, offset]];
}

/** As `deno compile` makes it: a section at the end, which is the resources, and the end of the image not rounded. */
function compiled(name = ".pedata"): Uint8Array {
  const [at, size] = [SECTIONS + 40, 512];
  const program = joined(
    sample(
      [HEADER + 6, 2, 2],
      [OPTIONAL + 56, 4, 0x2000 + 500],
      ...[[DIRECTORIES + 16, 4, 0x2000], [DIRECTORIES + 20, 4, 500]] as const,
      ...section(at, 0x2000, END, size),
    ),
    new Uint8Array(size).fill(7),
  );
  program.set(new TextEncoder().encode(name), at);
  return program;
}

const check = (bytes: Uint8Array) => checkPe(bytes, PE_MACHINE.x86_64);

Deno.test("a PE file is refused that is cut off anywhere", () => {
  refusesAllCutOff(sample(), check);
});

Deno.test("a PE file may lie in any field, and the check comes to its end", () => {
  survivesAllValues(compiled(), SECTIONS + 80, check);
});

for (
  const [what, fault, ...changes] of [
    ["another magic", /not a PE file/, [0, 2, 0x4d5a]],
    ["a program for DOS", /older MZ file/, [HEADER, 4, 0x454e]],
    ["headers outside", /the file ends at 1536/, [0x3c, 4, 0xfffffff0]],
    ["headers that are longer than the file", /the area of headers is at 0 to 1537/, [
      OPTIONAL + 60,
      4,
      END + 1,
    ]],
    ["more sections than the file has room for", /table of sections is at 328 to/, [HEADER + 6, 2, 31]],
    ["32 bits", /not of 64 bits/, [OPTIONAL, 2, 0x10b]],
    ["another processor", /for machine 43620, not 34404/, [HEADER + 4, 2, 0xaa64]],
    ["an entry point outside", /entry point/, [OPTIONAL + 16, 4, 0x1200]],
    ["a section outside", /section .text is at 1025 to 1537/, [SECTIONS + 20, 4, CODE + 1]],
    ["a section over the headers", /begins at 512 in memory, and not at 4096/, [SECTIONS + 12, 4, 512]],
    ["a hole in memory", /begins at 8192 in memory, and not at 4096/, [SECTIONS + 12, 4, 0x2000]],
    ["a section between sectors", /begins at 1023, not a multiple of 512/, [SECTIONS + 20, 4, CODE - 1]],
    ["a section that the image has no room for", /end at 12288, and the image at 8192/, [
      SECTIONS + 8,
      4,
      0x1001,
    ]],
    ["resources outside", /directory 2 ends at/, [DIRECTORIES + 16, 4, 0x2000], [DIRECTORIES + 20, 4, 1]],
    ["certificates outside", /certificates is at 1536 to 1537/, ...[
      [DIRECTORIES + 32, 4, END] as const,
      [DIRECTORIES + 36, 4, 1] as const,
    ]],
    ["more directories than there are", /17 directories/, [OPTIONAL + 108, 4, 17]],
  ] as const
) {
  Deno.test(`a PE file is refused: ${what}`, () => {
    assertMatch(faultOf(() => check(sample(...changes))) ?? "", fault);
  });
}

Deno.test("the runtime is cut out of a compiled PE file, and both are whole", () => {
  check(compiled());
  assertEquals(cutPe(compiled()), sample());
});

Deno.test("nothing is cut out of a PE file whose end is not as `deno compile` makes it", () => {
  assertMatch(faultOf(() => cutPe(sample())) ?? "", /last section is not .pedata/);
  assertMatch(faultOf(() => cutPe(compiled(".rsrc"))) ?? "", /last section is not .pedata/);
  const hidden = new Fields(compiled());
  hidden.set32(SECTIONS + 16, 511);
  assertMatch(faultOf(() => cutPe(hidden.bytes)) ?? "", /something is in front of .pedata/);
});
