/** PE32+, the executables of Windows: learn.microsoft.com/windows/win32/debug/pe-format. */

import { Fields } from "./fields.ts";

/** Machine. */
export const PE_MACHINE = { x86_64: 0x8664 } as const;

const MZ = 0x5a4d;
const SIGNATURE_AT = 0x3c;
const SIGNATURE = 0x00004550;
/** From the signature. */
const HEADER = { machine: 4, sections: 6, optionalSize: 20, optional: 24 };
/** From the optional header. */
const OPTIONAL = {
  entry: 16,
  alignment: 32,
  fileAlignment: 36,
  imageSize: 56,
  headersSize: 60,
  directories: 108,
  directory: 112,
};
const PE32_PLUS = 0x20b;
const RESOURCES = 2;
const CERTIFICATES = 4; // the one directory that is an offset in the file and not in memory
const DIRECTORY_BYTES = 8;
const MAX_DIRECTORIES = 16;
const SECTION_BYTES = 40;
/** The section in which `deno compile` puts the program, as a resource. */
const APPENDED = ".pedata";

interface Section {
  /** Where its header is in the file. */
  readonly header: number;
  readonly name: string;
  /** Its place in memory, and how much of it there is. */
  readonly address: number;
  readonly memory: number;
  /** Its place in the file. */
  readonly offset: number;
  readonly size: number;
}

/** A file with its headers found. */
class Image extends Fields {
  readonly header: number;
  readonly optional: number;
  readonly sections: readonly Section[];

  constructor(bytes: Uint8Array) {
    super(bytes);
    if (this.u16(0) !== MZ) throw new Error("it is not a PE file");
    this.header = this.u32(SIGNATURE_AT);
    if (this.u32(this.header) !== SIGNATURE) throw new Error("it is not a PE file, but an older MZ file");
    this.optional = this.header + HEADER.optional;
    if (this.u16(this.optional) !== PE32_PLUS) throw new Error("it is not of 64 bits");
    const table = this.optional + this.u16(this.header + HEADER.optionalSize);
    const count = this.u16(this.header + HEADER.sections);
    this.holds("the table of sections", table, count * SECTION_BYTES);
    this.sections = Array.from({ length: count }, (_, i) => this.#section(table + i * SECTION_BYTES));
  }

  #section(header: number): Section {
    const [memory, address, size, offset] = [8, 12, 16, 20].map((at) => this.u32(header + at));
    const name = this.name(header, 8);
    return { header, name, memory: memory!, address: address!, size: size!, offset: offset! };
  }

  /** Where it ends in memory. `deno compile` does not round this up, as it should be; Windows does, all the same. */
  get imageEnd(): number {
    return this.pageEnd(this.u32(this.optional + OPTIONAL.imageSize));
  }

  /** Where the page ends that an address in memory is the end of something in. */
  pageEnd(address: number): number {
    const alignment = this.u32(this.optional + OPTIONAL.alignment) || 1;
    return Math.ceil(address / alignment) * alignment;
  }

  /** Where the entry of the directory of that number is. */
  directory(number: number): number {
    return this.optional + OPTIONAL.directory + number * DIRECTORY_BYTES;
  }
}

/** Throws Error unless it is a whole executable: all that its headers point to is inside the file. */
export function checkPe(bytes: Uint8Array, machine: number): void {
  const image = new Image(bytes);
  const found = image.u16(image.header + HEADER.machine);
  if (found !== machine) throw new Error(`it is for machine ${found}, not ${machine}`);
  checkSections(image);
  checkDirectories(image);
  const entry = image.u32(image.optional + OPTIONAL.entry);
  if (!image.sections.some(({ address, size }) => entry >= address && entry < address + size)) {
    throw new Error("no section holds its entry point");
  }
}

/** In memory, sections follow each other page by page and fill the image, or Windows refuses it. */
function checkSections(image: Image): void {
  let free = image.u32(image.optional + OPTIONAL.headersSize);
  image.holds("the area of headers", 0, free);
  const sectors = image.u32(image.optional + OPTIONAL.fileAlignment);
  for (const { name, address, memory, offset, size } of image.sections) {
    image.holds(`section ${name}`, offset, size);
    if (offset % sectors !== 0) {
      throw new Error(`section ${name} begins at ${offset}, not a multiple of ${sectors}`);
    }
    const next = image.pageEnd(free);
    if (address !== next) {
      throw new Error(`section ${name} begins at ${address} in memory, and not at ${next}`);
    }
    free = address + (memory || size);
  }
  if (image.pageEnd(free) !== image.imageEnd) {
    throw new Error(`its sections end at ${image.pageEnd(free)}, and the image at ${image.imageEnd}`);
  }
}

function checkDirectories(image: Image): void {
  const count = image.u32(image.optional + OPTIONAL.directories);
  if (count > MAX_DIRECTORIES) {
    throw new Error(`it has ${count} directories, and PE no more than ${MAX_DIRECTORIES}`);
  }
  for (let number = 0; number < count; number++) {
    const at = image.directory(number);
    const [address, size] = [image.u32(at), image.u32(at + 4)];
    if (number === CERTIFICATES) image.holds("the table of certificates", address, size);
    else if (address + size > image.imageEnd) {
      throw new Error(`directory ${number} ends at ${address + size}, and the image at ${image.imageEnd}`);
    }
  }
}

/** The runtime before `deno compile` added its section, which is the last. It had no resources of its own. */
export function cutPe(program: Uint8Array): Uint8Array {
  const image = new Image(program);
  const [before, last] = image.sections.slice(-2);
  if (before === undefined || last?.name !== APPENDED) throw new Error(`its last section is not ${APPENDED}`);
  if (before.offset + before.size !== last.offset) throw new Error(`something is in front of ${APPENDED}`);
  const runtime = new Fields(program.slice(0, last.offset));
  runtime.bytes.fill(0, last.header, last.header + SECTION_BYTES);
  runtime.set16(image.header + HEADER.sections, image.sections.length - 1);
  runtime.set32(image.optional + OPTIONAL.imageSize, last.address);
  runtime.set64(image.directory(RESOURCES), 0);
  return runtime.bytes;
}
