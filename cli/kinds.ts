/** The kinds of values that flags take: a row each, from which come parsing, its errors, help and the manual. */

import { ipBytes, networks } from "../base/ip.ts";
import { count, duration, mode, size, UsageError } from "../base/units.ts";

/** What a shell puts in the place of a value. */
export type Completes = "files" | "folders" | readonly string[];

/** What one kind of value is. */
export interface Kind<T> {
  /** What stands for a value in the help. */
  readonly value: string;
  /** What a value may be, as a sentence. */
  readonly note: string;
  /** What a shell completes it with, where it can: names of files or folders, or these words. */
  readonly completes?: Completes;
  /** Throws UsageError. */
  readonly parse: (text: string) => T;
}

/** All kinds, in the order of the manual. A flag names one of them. */
export const KINDS = {
  /** In milliseconds. */
  duration: {
    value: "D",
    note: "D is a duration: 250ms, 5s, 2m, 1h30m; a bare number is seconds.",
    parse: duration,
  },
  /** In bytes. */
  size: {
    value: "SIZE",
    note: "SIZE is 64, 64k, 1M or 1MiB, in powers of 1024; 64kB and 1MB are of 1000.",
    parse: size,
  },
  count: { value: "N", note: "N may end in k or M (of 1000).", parse: count },
  seed: { value: "N", note: "N is a whole number, 0 too; it may end in k or M (of 1000).", parse: seed },
  threads: {
    value: "N",
    note: "N is a whole number, or auto: one a core.",
    completes: ["auto"],
    parse: threads,
  },
  file: { value: "FILE", note: "FILE is the path of a file.", completes: "files", parse: String },
  folder: { value: "FOLDER", note: "FOLDER is the path of a folder.", completes: "folders", parse: String },
  name: { value: "NAME", note: "NAME is the name of a host, or an IP address.", parse: String },
  ip: { value: "IP", note: "IP is an IPv4 or IPv6 address: 192.0.2.7, 2001:db8::7.", parse: ip },
  device: { value: "NAME", note: "NAME is the name of a network interface: eth0.", parse: device },
  byte: { value: "N", note: "N is a whole number up to 255, or 0x and two hex digits.", parse: byte },
  mode: { value: "MODE", note: "MODE is three octal digits, as for chmod: 660, 0660.", parse: mode },
  networks: {
    value: "CIDRS",
    note: "CIDRS are networks or addresses with a comma between them: 10.0.0.0/8,192.0.2.7.",
    parse: networks,
  },
  sha256: {
    value: "SHA256",
    note: "SHA256 is 64 hex digits, with or without colons.",
    parse: sha256,
  },
} as const satisfies Record<string, Kind<unknown>>;

/** `0`, `10`, `10k`. */
function seed(text: string): number {
  return text === "0" ? 0 : count(text);
}

function ip(text: string): string {
  if (ipBytes(text) !== undefined) return text;
  throw new UsageError(`${JSON.stringify(text)} is not an IP address; try 192.0.2.7 or 2001:db8::7`);
}

/** IFNAMSIZ of netdevice(7), less the NUL at the end. */
const LONGEST_DEVICE = 15;

function device(text: string): string {
  if (/^[^\s/:]+$/.test(text) && new TextEncoder().encode(text).length <= LONGEST_DEVICE) return text;
  throw new UsageError(`${JSON.stringify(text)} is not the name of an interface; try eth0, and see ip link`);
}

function byte(text: string): number {
  const n = /^(\d{1,3}|0x[\da-f]{1,2})$/i.test(text) ? Number(text) : NaN;
  if (n <= 255) return n;
  throw new UsageError(`${JSON.stringify(text)} is not a number from 0 to 255, or 0x00 to 0xff`);
}

/** A thread takes some 10 MB; more of them than a few a core do nothing better. */
const MOST_THREADS = 64;
const MOST_THREADS_A_CORE = 4;

function threads(text: string): number | "auto" {
  if (text === "auto") return text;
  const n = count(text);
  const most = Math.max(MOST_THREADS, MOST_THREADS_A_CORE * navigator.hardwareConcurrency);
  if (n > most) {
    throw new UsageError(
      `${text} threads are too many; at most ${most} are run here, and auto is one a core`,
    );
  }
  return n;
}

/** As openssl and browsers show it, too. Returns upper-case hex with colons, as Deno does. */
function sha256(text: string): string {
  const pairs = text.replaceAll(":", "").toUpperCase().match(/[\dA-F]{2}/g) ?? [];
  if (!/^([\dA-Fa-f]{2}:?){31}[\dA-Fa-f]{2}$/.test(text)) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a SHA-256; that is 64 hex digits, with or without colons`,
    );
  }
  return pairs.join(":");
}
