/** Text for a terminal of so many columns. */

/** What every terminal shows. */
export const WIDTH = 80;
/** Where there are fewer, the help of a flag goes below it. */
const NARROW = 60;

/** Lines of at most `width` columns, as far as the words allow. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line += line === "" ? word : ` ${word}`;
    }
  }
  return [...lines, line];
}

/** Two columns, of which the right one is wrapped; beside a long left one, or where it is narrow, it goes below. */
export function columns(rows: readonly (readonly string[])[], width: number): string[] {
  const most = width < NARROW ? 0 : width / 2;
  const left = Math.max(...rows.map(([name = ""]) => name.length).filter((n) => n <= most), 4);
  return rows.flatMap(([name = "", text = ""]) => {
    const lines = wrapped(text, width - left - 4).map((line) => `${" ".repeat(left + 4)}${line}`);
    if (name.length > left) return [`  ${name}`, ...lines];
    return [`  ${name.padEnd(left)}  ${lines[0]?.trimStart()}`, ...lines.slice(1)];
  });
}
