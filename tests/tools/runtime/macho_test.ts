/** Mach-O files that are whole, cut off, or lie about themselves. */

import { assertEquals, assertMatch } from "@std/assert";
import { checkMachO, MACHO_MACHINE } from "../../../tools/runtime/macho.ts";
import { cutMachO } from "../../../tools/runtime/macho_cut.ts";
import {
  apple,
  appleCompiled,
  COMMANDS_END,
  intel,
  LINKED,
  LINKED_AT,
  MAIN,
  STRINGS,
  SYMBOLS,
  TEXT,
} from "./macho_samples.ts";
import { faultOf, filled, joined, refusesAllCutOff, survivesAllValues } from "./samples.ts";

const END = LINKED_AT + STRINGS;
const check = (bytes: Uint8Array) => checkMachO(bytes, MACHO_MACHINE.x86_64);

/** As `deno compile` appends it for Intel: a mark, the length, the data; strings and __LINKEDIT reach to its end. */
function compiled(data: string): Uint8Array {
  const added = 16 + 8 + data.length;
  const runtime = intel([LINKED + 48, 8, STRINGS + added], [SYMBOLS + 20, 4, STRINGS + added]);
  const mark = joined("<~sui-data~>", new Uint8Array([0xef, 0xbe, 0xad, 0xde]));
  return joined(runtime, mark, filled(8, [[0, 8, data.length]]), data);
}

Deno.test("a Mach-O file is refused that is cut off anywhere", () => {
  refusesAllCutOff(intel(), check);
});

Deno.test("a Mach-O file may lie in any field, and the check comes to its end", () => {
  survivesAllValues(apple(), COMMANDS_END, (bytes) => checkMachO(bytes, MACHO_MACHINE.aarch64));
});

for (
  const [what, fault, ...changes] of [
    ["another magic", /not a Mach-O file of 64 bits/, [0, 4, 0xfeedface]],
    ["another processor", /for machine 16777228, not 16777223/, [4, 4, MACHO_MACHINE.aarch64]],
    ["a library", /not an executable/, [12, 4, 6]],
    ["load commands outside", /table of load commands is at 32 to/, [20, 4, END]],
    ["a load command without a length", /has 0 bytes/, [SYMBOLS + 4, 4, 0]],
    ["more load commands than there are", /the load command at/, [16, 4, 0xffffffff]],
    ["fewer load commands than there are", /the load commands end at/, [16, 4, 3]],
    ["no __LINKEDIT", /no segment __LINKEDIT/, [LINKED + 8, 2, 0]],
    ["a segment outside", /segment __LINKEDIT is at 16384 to 16425/, [LINKED + 48, 8, STRINGS + 1]],
    ["something behind __LINKEDIT", /its segments end at 16423, and the file at 16424/, [LINKED + 48, 8, 39]],
    ["segments over each other", /begins at 4294983679/, [LINKED + 24, 8, 0x100000000 + LINKED_AT - 1]],
    [
      "segments over each other in the file",
      /begins at 16383 in the file, where others reach up to 16384/,
      ...[
        [LINKED + 40, 8, LINKED_AT - 1] as const,
        [LINKED + 48, 8, STRINGS + 1] as const,
      ],
    ],
    ["a segment that begins within a page", /begins at 16385 in the file/, ...[
      [LINKED + 40, 8, LINKED_AT + 1] as const,
      [LINKED + 48, 8, STRINGS - 1] as const,
    ]],
    ["a segment without room", /has 40 bytes, and room for 39/, [LINKED + 32, 8, 39]],
    ["strings outside", /points to 16384 to 16425, and __LINKEDIT/, [SYMBOLS + 20, 4, STRINGS + 1]],
    ["symbols outside", /points to 16416 to 16432/, [SYMBOLS + 8, 4, 16416], [SYMBOLS + 12, 4, 1]],
    ["an entry point outside", /entry point is not in __TEXT/, [MAIN + 8, 8, LINKED_AT]],
    ["no entry point", /entry point is not in __TEXT/, [MAIN, 4, 0x1b]],
    ["no __TEXT", /no segment __TEXT/, [TEXT, 4, 0x1b]],
    ["a segment's command that is cut off", /is cut off/, [MAIN, 4, 0x19]],
  ] as const
) {
  Deno.test(`a Mach-O file is refused: ${what}`, () => {
    assertMatch(faultOf(() => check(intel(...changes))) ?? "", fault);
  });
}

Deno.test("the runtime is cut out of a compiled Mach-O file for Intel, and both are whole", () => {
  const program = compiled("the program");
  check(program);
  assertEquals(cutMachO(program), intel());
});

Deno.test("the runtime is cut out of a compiled Mach-O file for Apple's processors, and both are whole", () => {
  checkMachO(appleCompiled(), MACHO_MACHINE.aarch64);
  assertEquals(cutMachO(appleCompiled()), apple());
});

Deno.test("nothing is cut out of a Mach-O file whose end is not as `deno compile` makes it", () => {
  assertMatch(faultOf(() => cutMachO(intel())) ?? "", /does not end as a compiled program/);
  assertMatch(
    faultOf(() => cutMachO(joined(compiled("x"), "y"))) ?? "",
    /does not end as a compiled program/,
  );
  assertMatch(faultOf(() => cutMachO(apple())) ?? "", /no segment __SUI/);
});
