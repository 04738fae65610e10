/** Takes out of a Mach-O file what `deno compile` put in. */

import { Buffer } from "node:buffer";
import { sign } from "./codesign.ts";
import { MachO, MACHO_MACHINE } from "./macho.ts";

/** For Intel, the program is appended: these bytes, its length as u64, and itself. */
const MARK = Buffer.from([...new TextEncoder().encode("<~sui-data~>"), 0xef, 0xbe, 0xad, 0xde]);
/** For Apple's processors, it is a segment of its own, and what comes behind it has moved. */
const APPENDED = "__SUI";

/** The runtime alone. The one for Apple's processors is signed again, since its pages change. */
export function cutMachO(program: Uint8Array): Uint8Array {
  const file = new MachO(program.slice());
  return file.machine === MACHO_MACHINE.aarch64 ? sign(withoutSegment(file)) : withoutTail(file);
}

function withoutTail(program: MachO): Uint8Array {
  const end = Buffer.from(program.bytes.buffer).lastIndexOf(MARK);
  const data = end + MARK.length + 8;
  if (end < 0 || data + program.u64(data - 8) !== program.bytes.length) {
    throw new Error("it does not end as a compiled program does");
  }
  const runtime = new MachO(program.bytes.slice(0, end));
  runtime.endLinked(end);
  runtime.endStrings(end); // they had been made to reach to the end of the program
  return runtime.bytes;
}

function withoutSegment(program: MachO): MachO {
  const gone = program.segment(APPENDED);
  for (const { at } of program.linkedRanges()) {
    const offset = program.u32(at);
    if (offset >= gone.offset + gone.size) program.set32(at, offset - gone.size);
  }
  const { address, offset } = program.segment("__LINKEDIT");
  program.moveLinked(address - gone.memory, offset - gone.size);
  return program.without(gone);
}
