/**
 * The code signature of a Mach-O file: bsd/sys/codesign.h of Apple's xnu. macOS on Apple's processors starts
 * nothing without one. An ad hoc signature names no signer, and holds only the hashes of the pages.
 */

import { createHash } from "node:crypto";
import { type Command, MachO } from "./macho.ts";

const SUPERBLOB = 0xfade0cc0;
const DIRECTORY = 0xfade0c02;
const SUPERBLOB_BYTES = 20; // with one blob in it: the directory
const DIRECTORY_BYTES = 88;
const VERSION = 0x20400; // the first with the limits of the executable segment
const AD_HOC = 0x2;
const LINKER_SIGNED = 0x20000;
const SHA256 = 2;
const SHA256_BYTES = 32;
const PAGE_BITS = 12;
const PAGE_BYTES = 1 << PAGE_BITS;
const MAIN_BINARY = 1n;
const IDENTIFIER = new TextEncoder().encode("a.out\0"); // as linkers name what they sign
/** From the directory. */
const FIELD = {
  length: 4,
  flags: 12,
  hashes: 16,
  pages: 28,
  limit: 32,
  hashBytes: 36,
  hashType: 37,
  pageBits: 39,
};

/** Signs it ad hoc, as linkers do, with as much room as that needs. Returns the file with the new signature. */
export function sign(file: MachO): Uint8Array {
  const at = signatureOf(file);
  const limit = file.u32(at + 8);
  const directory = DIRECTORY_BYTES + IDENTIFIER.length + pagesIn(limit) * SHA256_BYTES;
  const end = limit + SUPERBLOB_BYTES + directory;
  file.set32(at + 12, end - limit);
  file.endLinked(end);
  const signed = new Uint8Array(end);
  signed.set(file.bytes.subarray(0, limit));
  signed.set(signatureFor(signed.subarray(0, limit), file.segment("__TEXT")), limit);
  return signed;
}

function signatureFor(code: Uint8Array, text: { offset: number; size: number }): Uint8Array {
  const pages = pagesIn(code.length);
  const hashes = DIRECTORY_BYTES + IDENTIFIER.length;
  const length = hashes + pages * SHA256_BYTES;
  const signature = new Uint8Array(SUPERBLOB_BYTES + length);
  const view = new DataView(signature.buffer);
  const words = [
    ...[SUPERBLOB, signature.length, 1, 0, SUPERBLOB_BYTES],
    ...[DIRECTORY, length, VERSION, AD_HOC | LINKER_SIGNED, hashes, DIRECTORY_BYTES, 0, pages, code.length],
  ];
  words.forEach((word, i) => view.setUint32(i * 4, word));
  signature.set([SHA256_BYTES, SHA256, 0, PAGE_BITS], SUPERBLOB_BYTES + FIELD.hashBytes);
  view.setBigUint64(SUPERBLOB_BYTES + 64, BigInt(text.offset));
  view.setBigUint64(SUPERBLOB_BYTES + 72, BigInt(text.size));
  view.setBigUint64(SUPERBLOB_BYTES + 80, MAIN_BINARY);
  signature.set(IDENTIFIER, SUPERBLOB_BYTES + DIRECTORY_BYTES);
  for (let page = 0; page < pages; page++) {
    signature.set(pageHash(code, page), SUPERBLOB_BYTES + hashes + page * SHA256_BYTES);
  }
  return signature;
}

/** Throws Error unless it has a signature whose hashes are those of all that is in front of it. */
export function checkSignature(bytes: Uint8Array): void {
  const file = new MachO(bytes);
  const at = signatureOf(file);
  const [start, size] = [file.u32(at + 8), file.u32(at + 12)];
  if (start + size !== bytes.length) throw new Error("it does not end with its code signature");
  if (file.bigEndian32(start) !== SUPERBLOB || file.bigEndian32(start + 12) !== 0) {
    throw new Error("its code signature does not begin with a directory");
  }
  checkDirectory(file, start, start + file.bigEndian32(start + 16));
}

/** `limit` is where the code ends that is signed. */
function checkDirectory(file: MachO, limit: number, directory: number): void {
  const field = (offset: number) => file.bigEndian32(directory + offset);
  if (field(0) !== DIRECTORY) throw new Error("its code signature has no directory");
  if (field(FIELD.limit) !== limit) {
    throw new Error(`it is signed up to ${field(FIELD.limit)}, and not to ${limit}`);
  }
  const kind = [FIELD.hashBytes, FIELD.hashType, FIELD.pageBits].map((offset) => file.u8(directory + offset));
  if (kind.join() !== [SHA256_BYTES, SHA256, PAGE_BITS].join()) {
    throw new Error("its code signature is not of SHA-256 over pages of 4 KiB");
  }
  const pages = pagesIn(limit);
  if (field(FIELD.pages) !== pages) {
    throw new Error(`${field(FIELD.pages)} pages are signed, and not ${pages}`);
  }
  const hashes = directory + field(FIELD.hashes);
  file.holds("the table of hashes", hashes, pages * SHA256_BYTES);
  const code = file.bytes.subarray(0, limit);
  for (let page = 0; page < pages; page++) {
    const expected = file.bytes.subarray(hashes + page * SHA256_BYTES).subarray(0, SHA256_BYTES);
    if (!pageHash(code, page).equals(expected)) throw new Error(`page ${page} is not as it was signed`);
  }
}

function signatureOf(file: MachO): number {
  const command: Command | undefined = file.signature;
  if (command === undefined) throw new Error("it has no code signature");
  return command.at;
}

function pagesIn(length: number): number {
  return Math.ceil(length / PAGE_BYTES);
}

function pageHash(code: Uint8Array, page: number): Uint8Array & { equals(other: Uint8Array): boolean } {
  return createHash("sha256").update(code.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)).digest();
}
