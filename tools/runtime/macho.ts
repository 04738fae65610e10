/** Mach-O, the executables of macOS: mach-o/loader.h of Apple's xnu. */

import { Fields } from "./fields.ts";

/** cputype. */
export const MACHO_MACHINE = { x86_64: 0x1000007, aarch64: 0x100000c } as const;

const MAGIC = 0xfeedfacf;
const EXECUTABLE = 2;
const HEADER = { machine: 4, type: 12, commands: 16, commandsSize: 20 };
const HEADER_BYTES = 32;
const SEGMENT_BYTES = 72;
/** From a segment's command. */
const SEGMENT = { name: 8, address: 24, memory: 32, offset: 40, size: 48 };
const COMMAND = { segment: 0x19, symbols: 0x2, signature: 0x1d, main: 0x80000028 };
const ENTRY = 8;

/** A page of memory on a processor. */
function pageBytes(machine: number): number {
  return machine === MACHO_MACHINE.aarch64 ? 16384 : 4096;
}

/** A range of __LINKEDIT that a command names: where in the command its offset and its count are. */
type Range = readonly [offset: number, count: number, bytesEach: number];
const BLOB: readonly Range[] = [[8, 12, 1]];
const DYLD_INFO: readonly Range[] = [[8, 12, 1], [16, 20, 1], [24, 28, 1], [32, 36, 1], [40, 44, 1]];
const RANGES: Readonly<Record<number, readonly Range[]>> = {
  [COMMAND.symbols]: [[8, 12, 16], [16, 20, 1]],
  0xb: [[32, 36, 8], [40, 44, 56], [48, 52, 4], [56, 60, 4], [64, 68, 8], [72, 76, 8]], // LC_DYSYMTAB
  [COMMAND.signature]: BLOB,
  0x1e: BLOB, // LC_SEGMENT_SPLIT_INFO
  0x22: DYLD_INFO,
  0x80000022: DYLD_INFO, // LC_DYLD_INFO_ONLY
  0x26: BLOB, // LC_FUNCTION_STARTS
  0x29: BLOB, // LC_DATA_IN_CODE
  0x2b: BLOB, // LC_DYLIB_CODE_SIGN_DRS
  0x2e: BLOB, // LC_LINKER_OPTIMIZATION_HINT
  0x36: BLOB, // LC_ATOM_INFO
  0x80000033: BLOB, // LC_DYLD_EXPORTS_TRIE
  0x80000034: BLOB, // LC_DYLD_CHAINED_FIXUPS
};

/** A load command: its kind, and where it is. */
export interface Command {
  readonly kind: number;
  readonly at: number;
  readonly size: number;
}

/** A part of the file, and its place in memory. Offsets, addresses and sizes are in bytes. */
export interface Segment {
  readonly command: Command;
  readonly name: string;
  readonly address: number;
  readonly memory: number;
  readonly offset: number;
  readonly size: number;
}

/** A file with its load commands found. */
export class MachO extends Fields {
  readonly commands: readonly Command[];
  readonly segments: readonly Segment[];

  constructor(bytes: Uint8Array) {
    super(bytes);
    if (this.u32(0) !== MAGIC) throw new Error("it is not a Mach-O file of 64 bits");
    this.commands = [...this.#commands()];
    this.segments = this.commands.filter(({ kind }) => kind === COMMAND.segment)
      .map((command) => this.#segment(command));
  }

  *#commands(): Generator<Command> {
    const end = this.commandsEnd;
    this.holds("the table of load commands", HEADER_BYTES, end - HEADER_BYTES);
    let at = HEADER_BYTES;
    for (let left = this.u32(HEADER.commands); left > 0; left--) {
      const command = { kind: this.u32(at), at, size: this.u32(at + 4) };
      if (command.size < 8 || command.size % 8 !== 0 || at + command.size > end) {
        throw new Error(`the load command at ${at} has ${command.size} bytes, and the last ends at ${end}`);
      }
      yield command;
      at += command.size;
    }
    if (at !== end) throw new Error(`the load commands end at ${at}, and should at ${end}`);
  }

  #segment(command: Command): Segment {
    const field = (offset: number) => this.u64(command.at + offset);
    return {
      command,
      name: this.name(command.at + SEGMENT.name, 16),
      address: field(SEGMENT.address),
      memory: field(SEGMENT.memory),
      offset: field(SEGMENT.offset),
      size: field(SEGMENT.size),
    };
  }

  /** Where the last load command ends. */
  get commandsEnd(): number {
    return HEADER_BYTES + this.u32(HEADER.commandsSize);
  }

  get machine(): number {
    return this.u32(HEADER.machine);
  }

  /** The segment of that name. Throws Error if there is none. */
  segment(name: string): Segment {
    const found = this.segments.find((segment) => segment.name === name);
    if (found === undefined) throw new Error(`it has no segment ${name}`);
    return found;
  }

  /** The command that says where the code signature is. */
  get signature(): Command | undefined {
    return this.commands.find(({ kind }) => kind === COMMAND.signature);
  }

  /** The places in the load commands of offsets into __LINKEDIT, each with the bytes that are there. */
  linkedRanges(): { readonly at: number; readonly size: number }[] {
    return this.commands.flatMap((command) =>
      (RANGES[command.kind] ?? []).map(([offset, count, bytesEach]) => ({
        at: command.at + offset,
        size: this.u32(command.at + count) * bytesEach,
      }))
    );
  }

  /** Makes __LINKEDIT end at `end` of the file, and in memory with that page. */
  endLinked(end: number): void {
    const { command, offset } = this.segment("__LINKEDIT");
    const page = pageBytes(this.machine);
    this.set64(command.at + SEGMENT.size, end - offset);
    this.set64(command.at + SEGMENT.memory, Math.ceil((end - offset) / page) * page);
  }

  /** Puts __LINKEDIT elsewhere: at `address` in memory, and at `offset` of the file. */
  moveLinked(address: number, offset: number): void {
    const { at } = this.segment("__LINKEDIT").command;
    this.set64(at + SEGMENT.address, address);
    this.set64(at + SEGMENT.offset, offset);
  }

  /** Makes the table of strings end at `end` of the file. */
  endStrings(end: number): void {
    for (const { kind, at } of this.commands) {
      if (kind === COMMAND.symbols) this.set32(at + 20, end - this.u32(at + 16));
    }
  }

  /** The file without a segment: neither its load command nor its bytes. */
  without({ command: { at, size }, ...gone }: Segment): MachO {
    const rest = new Fields(new Uint8Array(this.bytes.length - gone.size));
    // The command had taken its room from the padding behind the others: what follows that has not moved.
    rest.bytes.set(this.bytes.subarray(0, at));
    rest.bytes.set(this.bytes.subarray(at + size, this.commandsEnd), at);
    rest.bytes.set(this.bytes.subarray(this.commandsEnd, gone.offset), this.commandsEnd);
    rest.bytes.set(this.bytes.subarray(gone.offset + gone.size), gone.offset);
    rest.set32(HEADER.commands, this.commands.length - 1);
    rest.set32(HEADER.commandsSize, rest.u32(HEADER.commandsSize) - size);
    return new MachO(rest.bytes);
  }
}

/**
 * Throws Error unless it is a whole executable: all that its load commands point to is inside the file, and
 * __LINKEDIT is the end of it.
 */
export function checkMachO(bytes: Uint8Array, machine: number): void {
  const file = new MachO(bytes);
  if (file.machine !== machine) throw new Error(`it is for machine ${file.machine}, not ${machine}`);
  if (file.u32(HEADER.type) !== EXECUTABLE) throw new Error("it is not an executable");
  checkSegments(file);
  checkLinked(file);
  const main = file.commands.find(({ kind }) => kind === COMMAND.main);
  const text = file.segment("__TEXT");
  if (main === undefined || file.u64(main.at + ENTRY) >= text.size) {
    throw new Error("its entry point is not in __TEXT");
  }
}

/** Segments follow each other in the file and in memory. */
function checkSegments(file: MachO): void {
  const page = pageBytes(file.machine);
  let [end, free] = [0, 0];
  for (const { command, name, address, memory, offset, size } of file.segments) {
    if (command.size < SEGMENT_BYTES) throw new Error(`the command of ${name} is cut off`);
    file.holds(`segment ${name}`, offset, size);
    if (address < free) {
      throw new Error(`segment ${name} begins at ${address}, where others reach up to ${free}`);
    }
    if (size > 0 && offset < end) {
      throw new Error(`segment ${name} begins at ${offset} in the file, where others reach up to ${end}`);
    }
    if (offset % page !== 0 || address % page !== 0) {
      throw new Error(
        `segment ${name} begins at ${offset} in the file, at ${address} in memory: not with a page`,
      );
    }
    if (size > memory) throw new Error(`segment ${name} has ${size} bytes, and room for ${memory}`);
    free = address + memory;
    if (size > 0) end = offset + size;
  }
  if (end !== file.bytes.length) {
    throw new Error(`its segments end at ${end}, and the file at ${file.bytes.length}`);
  }
}

function checkLinked(file: MachO): void {
  const linked = file.segment("__LINKEDIT");
  const end = linked.offset + linked.size;
  for (const { at, size } of file.linkedRanges()) {
    const offset = file.u32(at);
    if (size > 0 && (offset < linked.offset || offset + size > end)) {
      throw new Error(
        `the load command at ${at} points to ${offset} to ${offset + size}, and __LINKEDIT goes from ` +
          `${linked.offset} to ${end}`,
      );
    }
  }
}
