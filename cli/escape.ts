/** Bytes from the network, made safe for a person to read in a log or at a terminal. */

/** All but letters, marks, numbers, punctuation, symbols and the plain space: what moves, hides or rings. */
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;
const PLAIN = /^[ !#-[\]-~]*$/;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

/** `\xNN`, which `decode` gives for a byte that is no text: no other character is as long. */
const RAW_LENGTH = 4;

/**
 * A preview in double quotes of at most `limit` characters. Text is shown as it is where the bytes are valid
 * UTF-8; else every byte from 0x80 is `\xNN`. What does not print is `\n`, `\x1b` or `\u{202e}`; a `…` stands
 * for what was cut.
 */
export function preview(bytes: Uint8Array, limit = 120): string {
  if (bytes.length <= limit) {
    const text = String.fromCharCode(...bytes);
    if (PLAIN.test(text)) return `"${text}"`;
  }
  // A character takes at most 4 bytes, so these are enough to fill the preview.
  const head = bytes.subarray(0, 4 * limit);
  let shown = "";
  for (const character of decode(head)) {
    const unit = character === '"' ? '\\"' : visible(character);
    if (shown.length + unit.length > limit) return `"${shown}"…`;
    shown += unit;
  }
  return head.length < bytes.length ? `"${shown}"…` : `"${shown}"`;
}

/** All of the bytes as one line that a terminal shows and does not obey. */
export function printable(bytes: Uint8Array): string {
  let shown = "";
  for (const character of decode(bytes)) shown += visible(character);
  return shown;
}

function visible(character: string): string {
  if (character.length === RAW_LENGTH) return character;
  const short = SHORT[character];
  if (short !== undefined) return short;
  if (!UNPRINTABLE.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** UTF-8, of which the end may be cut in mid-character; where it is not, a character a byte, none printable from 0x80. */
function decode(bytes: Uint8Array): Iterable<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return Array.from(bytes, (byte) => byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`);
  }
}
