/** Bytes from the network, made safe for a person to read in a log or at a terminal. */

/** All but letters, marks, numbers, punctuation, symbols and the plain space: what moves, hides or rings. */
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u;
const PLAIN = /^[ !#-[\]-~]*$/;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A preview in double quotes of at most `limit` characters. Text is shown as it is where the bytes are valid
 * UTF-8; else every byte from 0x80 is `\xNN`. What does not print is `\n`, `\x1b` or `\u{202e}`; a `…` stands
 * for what was cut.
 */
export function preview(bytes: Uint8Array, limit = 120): string {
  // The quick way, for a log of every message: what is not valid UTF-8 becomes U+FFFD, which is not plain.
  const start = lenient.decode(bytes.subarray(0, limit));
  if (PLAIN.test(start)) return bytes.length > limit ? `"${start}"…` : `"${start}"`;
  // A character takes at most 4 bytes, so these are enough to fill the preview.
  const head = bytes.subarray(0, 4 * limit);
  let shown = "";
  for (const character of visible(head, head.length < bytes.length)) {
    const unit = character === '"' ? '\\"' : character;
    if (shown.length + unit.length > limit) return `"${shown}"…`;
    shown += unit;
  }
  return head.length < bytes.length ? `"${shown}"…` : `"${shown}"`;
}

/** All of the bytes as one line that a terminal shows and does not obey. */
export function printable(bytes: Uint8Array): string {
  return visible(bytes).join("");
}

/** Text, such as the message of an error, as one line that a terminal shows and does not obey. */
export function oneLine(text: string): string {
  return Array.from(text, visibleCharacter).join("");
}

/** Character by character, each as it is or as its escape. The end of UTF-8 that is `cut` may be lost. */
function visible(bytes: Uint8Array, cut = false): string[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut });
    return Array.from(text, visibleCharacter);
  } catch {
    return Array.from(bytes, (byte) => byte < 0x80 ? visibleCharacter(String.fromCharCode(byte)) : hex(byte));
  }
}

function visibleCharacter(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  if (!UNPRINTABLE.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? hex(code) : `\\u{${code.toString(16)}}`;
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
