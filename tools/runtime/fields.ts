/** The numbers and names in the headers of an executable: little-endian, as all our targets are. */
export class Fields {
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Throws Error if `length` bytes at `at` are not all inside the file. `what` says what is there. */
  holds(what: string, at: number, length: number): void {
    if (at < 0 || at + length > this.bytes.length) {
      throw new Error(`${what} is at ${at} to ${at + length}, and the file ends at ${this.bytes.length}`);
    }
  }

  u8(at: number): number {
    this.holds("a field of its headers", at, 1);
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    this.holds("a field of its headers", at, 2);
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    this.holds("a field of its headers", at, 4);
    return this.#view.getUint32(at, true);
  }

  /** What is above 2**53 comes out rounded: it is no offset in any file. */
  u64(at: number): number {
    this.holds("a field of its headers", at, 8);
    return Number(this.#view.getBigUint64(at, true));
  }

  /** Big-endian, as in a code signature. */
  bigEndian32(at: number): number {
    this.holds("a field of its headers", at, 4);
    return this.#view.getUint32(at);
  }

  /** Text without the zeros that fill it up to `length`. */
  name(at: number, length: number): string {
    this.holds("a name", at, length);
    return new TextDecoder("latin1").decode(this.bytes.subarray(at, at + length)).replace(/\0.*$/s, "");
  }

  set16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }

  set32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  set64(at: number, value: number): void {
    this.#view.setBigUint64(at, BigInt(value), true);
  }
}
