/** Mach-O executables of 16 KiB and a few bytes. */

import { sign } from "../../../tools/runtime/codesign.ts";
import { MachO, MACHO_MACHINE } from "../../../tools/runtime/macho.ts";
import { filled } from "./samples.ts";

type Changes = Parameters<typeof filled>[1];

export const TEXT = 32;
export const LINKED = TEXT + 72;
export const SYMBOLS = LINKED + 72;
export const MAIN = SYMBOLS + 24;
export const SIGNATURE = MAIN + 24;
/** Where the load commands end, and where __LINKEDIT begins: strings, and nothing else. */
export const COMMANDS_END = SIGNATURE + 16;
export const LINKED_AT = 16384;
export const STRINGS = 40;

/** What came to where the linked data was: the contents of the segment that `deno compile` adds. */
const ADDED = 16384;

function segment(at: number, name: string, address: number, memory: number, offset: number, size: number) {
  const letters = [...name.padEnd(16, "\0")].map((letter) => letter.charCodeAt(0));
  const pairs = Array.from({ length: 8 }, (_, i) => letters[2 * i]! + 256 * letters[2 * i + 1]!);
  return [
    ...[[at, 4, 0x19], [at + 4, 4, 72], [at + 24, 8, address], [at + 32, 8, memory]] as const,
    ...[[at + 40, 8, offset], [at + 48, 8, size]] as const,
    ...pairs.map((pair, i) => [at + 8 + 2 * i, 2, pair] as const),
  ] satisfies Changes;
}

/** For Intel, without a signature; its strings end the file. */
export function intel(...changes: Changes): Uint8Array {
  return filled(LINKED_AT + STRINGS, [
    ...head(MACHO_MACHINE.x86_64, 4, SIGNATURE),
    ...segment(TEXT, "__TEXT", 0x100000000, LINKED_AT, 0, LINKED_AT),
    ...segment(LINKED, "__LINKEDIT", 0x100000000 + LINKED_AT, 4096, LINKED_AT, STRINGS),
    ...[[SYMBOLS, 4, 2], [SYMBOLS + 4, 4, 24], [SYMBOLS + 16, 4, LINKED_AT], [
      SYMBOLS + 20,
      4,
      STRINGS,
    ]] as const,
    ...[[MAIN, 4, 0x80000028], [MAIN + 4, 4, 24], [MAIN + 8, 8, 1000]] as const,
    ...changes,
  ]);
}

function head(machine: number, commands: number, end: number) {
  return [
    ...[[0, 4, 0xfeedfacf], [4, 4, machine], [12, 4, 2], [16, 4, commands], [20, 4, end - 32]] as const,
  ] satisfies Changes;
}

/** For Apple's processors, signed; its signature ends the file. */
export function apple(...changes: Changes): Uint8Array {
  const linked = LINKED_AT + STRINGS;
  return sign(
    new MachO(intel(
      ...head(MACHO_MACHINE.aarch64, 5, COMMANDS_END),
      ...[[SIGNATURE, 4, 0x1d], [SIGNATURE + 4, 4, 16], [SIGNATURE + 8, 4, linked]] as const,
      ...changes,
    )),
  );
}

/** As `deno compile` makes it of `apple()`: a segment is in front of __LINKEDIT, which moves, and so does the rest. */
export function appleCompiled(): Uint8Array {
  const moved = LINKED_AT + ADDED;
  const bytes = filled(moved + STRINGS, [
    ...head(MACHO_MACHINE.aarch64, 6, COMMANDS_END + 72),
    ...segment(TEXT, "__TEXT", 0x100000000, LINKED_AT, 0, LINKED_AT),
    ...segment(LINKED, "__SUI", 0x100000000 + LINKED_AT, ADDED, LINKED_AT, ADDED),
    ...segment(LINKED + 72, "__LINKEDIT", 0x100000000 + moved, 4096, moved, STRINGS),
    ...[[SYMBOLS + 72, 4, 2], [SYMBOLS + 76, 4, 24], [SYMBOLS + 88, 4, moved], [
      SYMBOLS + 92,
      4,
      STRINGS,
    ]] as const,
    ...[[MAIN + 72, 4, 0x80000028], [MAIN + 76, 4, 24], [MAIN + 80, 8, 1000]] as const,
    ...[[SIGNATURE + 72, 4, 0x1d], [SIGNATURE + 76, 4, 16], [SIGNATURE + 80, 4, moved + STRINGS]] as const,
  ]);
  bytes.fill(7, LINKED_AT, moved);
  return sign(new MachO(bytes));
}
