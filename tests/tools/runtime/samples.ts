/** Executables of a few kilobytes, made from the formats' descriptions. */

import { assert, assertEquals } from "@std/assert";
import { Fields } from "../../../tools/runtime/fields.ts";

/** A file of `length` bytes with numbers written into it, each `[place, bytes, value]`. */
export function filled(
  length: number,
  numbers: readonly (readonly [number, 2 | 4 | 8, number])[],
): Uint8Array {
  const file = new Fields(new Uint8Array(length));
  for (const [at, bytes, value] of numbers) {
    if (bytes === 2) file.set16(at, value);
    else if (bytes === 4) file.set32(at, value);
    else file.set64(at, value);
  }
  return file.bytes;
}

/** The bytes of all parts, one after the other. */
export function joined(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const all = parts.map((part) => typeof part === "string" ? new TextEncoder().encode(part) : part);
  const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of all) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** What is thrown, which must be an Error of ours and no accident, or undefined. */
export function faultOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    assertEquals((error as Error).constructor, Error, String(error));
    return (error as Error).message;
  }
}

/** Checks that a file that is cut off anywhere is refused. */
export function refusesAllCutOff(bytes: Uint8Array, check: (bytes: Uint8Array) => void): void {
  assertEquals(faultOf(() => check(bytes)), undefined);
  for (let length = 0; length < bytes.length; length++) {
    assert(
      faultOf(() => check(bytes.subarray(0, length))) !== undefined,
      `${length} of ${bytes.length} bytes`,
    );
  }
}

/** Checks that any field of the headers may have any value: no accident, and an end. */
export function survivesAllValues(
  bytes: Uint8Array,
  headers: number,
  check: (bytes: Uint8Array) => void,
): void {
  for (let at = 0; at + 8 <= headers; at++) {
    for (const [length, value] of [[1, 0], [2, 0xff], [4, 0xff], [4, 0x7f], [8, 0xff], [8, 0x7f]] as const) {
      const changed = bytes.slice();
      changed.fill(value, at, at + length);
      faultOf(() => check(changed));
    }
  }
}
