/** ELF, the executables of Linux: elf(5). */

import { Fields } from "./fields.ts";

/** e_machine. */
export const ELF_MACHINE = { x86_64: 62, aarch64: 183 } as const;

const MAGIC = 0x464c457f;
const CLASS_64_LITTLE_ENDIAN = 0x0102;
const HEADER = { class: 4, type: 16, machine: 18, entry: 24, programs: 32, sections: 40 };
const COUNTS = { programSize: 54, programs: 56, sectionSize: 58, sections: 60, names: 62 };
const TYPES = [2, 3]; // an executable, a shared object: a position-independent executable is one
const PROGRAM_BYTES = 56;
const LOAD = 1;
const SECTION_BYTES = 64;
const WITHOUT_BYTES = [0, 8]; // SHT_NULL, SHT_NOBITS

/** What `deno compile` appends ends with: u32 magic, u32 hash, u64 length of all that was appended. */
const TRAILER_BYTES = 16;
const TRAILER_MAGIC = 0x501e;

/** Throws Error unless it is a whole executable: all that its headers point to is inside the file. */
export function checkElf(bytes: Uint8Array, machine: number): void {
  const elf = new Fields(bytes);
  if (elf.u32(0) !== MAGIC) throw new Error("it is not an ELF file");
  if (elf.u16(HEADER.class) !== CLASS_64_LITTLE_ENDIAN) {
    throw new Error("it is not of 64 bits, little-endian");
  }
  if (elf.u16(HEADER.machine) !== machine) {
    throw new Error(`it is for machine ${elf.u16(HEADER.machine)}, not ${machine}`);
  }
  if (!TYPES.includes(elf.u16(HEADER.type))) throw new Error("it is not an executable");
  checkPrograms(elf);
  checkSections(elf);
}

function checkPrograms(elf: Fields): void {
  const [table, count] = [elf.u64(HEADER.programs), elf.u16(COUNTS.programs)];
  if (elf.u16(COUNTS.programSize) !== PROGRAM_BYTES) {
    throw new Error("its program headers have a strange size");
  }
  elf.holds("the table of program headers", table, count * PROGRAM_BYTES);
  const entry = elf.u64(HEADER.entry);
  let entered = false;
  for (let at = table; at < table + count * PROGRAM_BYTES; at += PROGRAM_BYTES) {
    const [offset, address, size] = [elf.u64(at + 8), elf.u64(at + 16), elf.u64(at + 32)];
    elf.holds("a segment", offset, size);
    if (elf.u32(at) !== LOAD) continue;
    const page = elf.u64(at + 48) || 1;
    if (offset % page !== address % page) {
      throw new Error(`the segment at ${offset} does not begin with a page`);
    }
    entered ||= entry >= address && entry < address + size;
  }
  if (!entered) throw new Error("no segment holds its entry point");
}

function checkSections(elf: Fields): void {
  const [table, count] = [elf.u64(HEADER.sections), elf.u16(COUNTS.sections)];
  if (elf.u16(COUNTS.sectionSize) !== SECTION_BYTES) {
    throw new Error("its section headers have a strange size");
  }
  elf.holds("the table of section headers", table, count * SECTION_BYTES);
  if (elf.u16(COUNTS.names) >= count) throw new Error("it has no section of names");
  for (let at = table; at < table + count * SECTION_BYTES; at += SECTION_BYTES) {
    if (!WITHOUT_BYTES.includes(elf.u32(at + 4))) elf.holds("a section", elf.u64(at + 24), elf.u64(at + 32));
  }
}

/** The runtime in front of what `deno compile` appended. It ends with its section headers, as linkers write them. */
export function cutElf(program: Uint8Array): Uint8Array {
  const elf = new Fields(program);
  const trailer = program.length - TRAILER_BYTES;
  if (elf.u32(trailer) !== TRAILER_MAGIC) throw new Error("it does not end as a compiled program does");
  const end = program.length - elf.u64(trailer + 8);
  const headers = elf.u64(HEADER.sections) + elf.u16(COUNTS.sections) * elf.u16(COUNTS.sectionSize);
  if (headers !== end) throw new Error(`its section headers end at ${headers}, and the runtime at ${end}`);
  return program.slice(0, end);
}
