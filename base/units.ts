/** Durations, sizes and counts, as they are written on the command line and printed for a person. */

/** The command line is wrong. `main` prints the message and exits with 2, before anything is opened. */
export class UsageError extends Error {}

type Units = readonly (readonly [suffix: string, factor: number])[];

const DURATIONS: Units = [["h", 3_600_000], ["m", 60_000], ["s", 1000], ["ms", 1]];
const SIZES: Units = [
  ["G", 1024 ** 3],
  ["M", 1024 ** 2],
  ["k", 1024],
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
  ["GB", 1e9],
  ["MB", 1e6],
  ["kB", 1e3],
];
/** As sizes are printed; powers of 1024 would be KiB and MiB. */
const PRINTED_SIZES: Units = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];
const COUNTS: Units = [["M", 1_000_000], ["k", 1000]];

/** What a datagram holds at most: 65,535 bytes of an IPv4 packet, less the headers of IP (20) and UDP (8). */
export const LARGEST_DATAGRAM = 65_507;

/** The longest wait that a timer takes: 2^31 - 1 ms (24 days); a longer one would fire at once. */
export const LONGEST_MS = 2 ** 31 - 1;

/** A limit of so many milliseconds in seconds, as JSON shows it: null where it is none. */
export function limitSeconds(ms: number): number | null {
  return ms < LONGEST_MS ? ms / 1000 : null;
}

/** `250ms`, `5s`, `2m`, `1h30m`; a bare number is seconds. Returns milliseconds, above 0. */
export function duration(text: string): number {
  const ms = milliseconds(text);
  if (ms === undefined || !(ms > 0 && ms <= LONGEST_MS)) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a duration; try 250ms, 5s, 2m or 1h30m (at most 596h)`,
    );
  }
  return ms;
}

/** What `parse` reads, and besides it `0` and `off`, which give `none`. */
export function orOff<T>(parse: (text: string) => T, none: T): (text: string) => T {
  return (text) => {
    if (/^(off|0(ms|s|m|h)?)$/.test(text)) return none;
    try {
      return parse(text);
    } catch (error) {
      throw error instanceof UsageError ? new UsageError(`${error.message}, or off`) : error;
    }
  };
}

/** `64`, `64k`, `1MiB`: powers of 1024; `64kB`, `1MB`: of 1000. Returns bytes. */
export function size(text: string): number {
  const bytes = scaled(text, SIZES, 1);
  if (bytes === undefined || !Number.isSafeInteger(bytes)) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a size; try 64, 64k or 1MiB (powers of 1024), 64kB or 1MB (of 1000)`,
    );
  }
  return bytes;
}

/** `10`, `10k`, `1M` (k = 1000). Returns a whole number above 0. */
export function count(text: string): number {
  const n = scaled(text, COUNTS, 1);
  if (n === undefined || !Number.isSafeInteger(n) || n < 1) {
    throw new UsageError(`${JSON.stringify(text)} is not a count; try 10, 10k or 1M (k = 1000)`);
  }
  return n;
}

/** Permission bits in octal, as chmod(1) takes them: `660`, `0660`. */
export function mode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new UsageError(`"${text}" is not a mode; try 0660 (octal)`);
  return parseInt(text, 8);
}

/** One of the given words. */
export function oneOf<T extends string>(...words: T[]): (text: string) => T {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found === undefined) throw new UsageError(`${JSON.stringify(text)} is none of ${words.join(", ")}`);
    return found;
  };
}

/** Milliseconds for a person: `5 ms`, `0.213 ms`, `4.2 s`, `3m 20s`. */
export function showDuration(ms: number): string {
  // Not below 1000 and 60_000, so that nothing rounds up to "1000.000 ms" or "60.00 s".
  if (ms < 999.9995) return `${Number.isInteger(ms) ? ms : ms.toFixed(3)} ms`;
  if (ms < 59_995) return `${Number((ms / 1000).toFixed(2))} s`;
  const parts: string[] = [];
  let rest = Math.round(ms / 1000) * 1000;
  for (const [suffix, factor] of DURATIONS.slice(0, 3)) {
    const n = Math.floor(rest / factor);
    rest -= n * factor;
    if (n > 0) parts.push(`${n}${suffix}`);
  }
  return parts.join(" ");
}

/** Bytes for a person: `17 bytes`, `65.5 kB`, `1.5 MB` (kB = 1000). */
export function showSize(bytes: number): string {
  for (const [unit, factor] of PRINTED_SIZES) {
    // What rounds up to 1000.0 of a unit is 1.0 of the next.
    if (bytes >= factor - factor / 1000 / 20) return `${(bytes / factor).toFixed(1)} ${unit}`;
  }
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}

/** Milliseconds to three digits, as far as microseconds give them, for a table: `0.021`, `1.25`, `13.4`, `1021`. */
export function showMilliseconds(ms: number): string {
  return ms.toFixed(ms >= 100 ? 0 : ms >= 10 ? 1 : ms >= 1 ? 2 : 3);
}

/** A number for a person, with so many digits after the point: `28,232`. */
export function showNumber(value: number, digits = 0): string {
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** To so many digits after the point: milliseconds to 3, which are the microseconds that a clock can be trusted with. */
export function rounded(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}

/** The parts of a duration, from the greatest unit to the least, each at most once. */
const DURATION = new RegExp(`^${DURATIONS.map(([unit]) => `(?:\\d+(?:\\.\\d+)?${unit})?`).join("")}$`);

function milliseconds(text: string): number | undefined {
  if (text === "" || !DURATION.test(text)) return scaled(text, DURATIONS, 1000);
  const parts = text.match(/[\d.]+[a-z]+/g) ?? [];
  return parts.reduce((sum, part) => sum + (scaled(part, DURATIONS, 1000) ?? NaN), 0);
}

/** `1 client`, `2 clients`. */
export function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function scaled(text: string, units: Units, bare: number): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)([A-Za-z]*)$/.exec(text);
  if (match === null) return undefined;
  const [, digits, suffix] = match;
  const factor = suffix === "" ? bare : units.find(([name]) => name === suffix)?.[1];
  return factor === undefined ? undefined : Number(digits) * factor;
}
