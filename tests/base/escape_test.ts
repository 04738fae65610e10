import { assert, assertEquals } from "@std/assert";
import { preview, printable } from "../../base/escape.ts";

const encoder = new TextEncoder();
const bytes = (content: string | number[]) =>
  typeof content === "string" ? encoder.encode(content) : Uint8Array.from(content);

/** What is received, and how it is shown between the quotes of a preview. */
const TABLE: [string | number[], string][] = [
  ["", ""],
  ["hello", "hello"],
  ["hello\n", "hello\\n"],
  ["a\tb\r\n", "a\\tb\\r\\n"],
  ["C:\\dir", "C:\\\\dir"],
  ["\\n", "\\\\n"],
  ["ab\0cd", "ab\\x00cd"],
  ["\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"],
  ["\x1b]0;title\x07", "\\x1b]0;title\\x07"],
  ["\x7f", "\\x7f"],
  ["\u009b5n", "\\x9b5n"],
  ["\u202eevil", "\\u{202e}evil"],
  ["a\u200bb", "a\\u{200b}b"],
  ["line\u2028line", "line\\u{2028}line"],
  ["\ufeffbom", "\\u{feff}bom"],
  ["no\u00a0break", "no\\xa0break"],
  ["grüße 世界 🙂", "grüße 世界 🙂"],
  ["tag\u{e0041}", "tag\\u{e0041}"],
  [[0xff], "\\xff"],
  [[0x61, 0xc3, 0x28, 0x80], "a\\xc3(\\x80"],
  [[0xc0, 0xaf], "\\xc0\\xaf"],
  [[0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"],
  [[0x61, 0xe4, 0xb8], "a\\xe4\\xb8"],
];

Deno.test("what would move, hide or ring is shown by its escape, text as it is", () => {
  for (const [content, shown] of TABLE) {
    assertEquals(printable(bytes(content)), shown);
    assertEquals(preview(bytes(content)), `"${shown}"`);
  }
});

Deno.test("a quote is escaped where quotes are around it", () => {
  assertEquals(preview(bytes('say "x"')), '"say \\"x\\""');
  assertEquals(printable(bytes('say "x"')), 'say "x"');
});

Deno.test("every single byte is shown as printable ASCII on one line", () => {
  for (let byte = 0; byte < 256; byte++) {
    for (const around of [[byte], [0x61, byte, 0x62], [0xff, byte]]) {
      for (const shown of [printable(bytes(around)), preview(bytes(around))]) {
        assert(/^[ -~]+$/.test(shown), shown);
      }
    }
  }
});

Deno.test("a preview is cut at its limit, and says so", () => {
  assertEquals(preview(bytes("x".repeat(120))), `"${"x".repeat(120)}"`);
  assertEquals(preview(bytes("x".repeat(121))), `"${"x".repeat(120)}"…`);
  assertEquals(preview(bytes("abcdef"), 5), '"abcde"…');
  assertEquals(preview(bytes("abcd\n"), 5), '"abcd"…'); // an escape is never cut in two
  assertEquals(preview(new Uint8Array(1000)), `"${"\\x00".repeat(30)}"…`);
  assertEquals(preview(new Uint8Array(30)), `"${"\\x00".repeat(30)}"`);
});

Deno.test("a preview of a long message is made of its first characters, even where the cut is inside of one", () => {
  for (const n of [119, 120, 121, 480, 481, 10_000]) {
    for (const [lead, character] of [["", "é"], ["x", "é"], ["", "世"], ["xx", "🙂"]] as const) {
      const text = lead + character.repeat(n);
      const shown = preview(bytes(text));
      assert(shown.length <= 123, shown);
      const [, inside = ""] = /^"(.*)"…?$/.exec(shown)!;
      assert(text.startsWith(inside), shown);
      assert(inside.length >= 119, shown);
    }
  }
});
