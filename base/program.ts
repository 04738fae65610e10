/** What the program calls itself. */

import process from "node:process";

/** The name of the sources, and of a file whose own name cannot be shown. */
export const PROGRAM = "echo";

/** What it is for: the first line of its help and of its man page. */
export const PURPOSE = "do bytes get there and back, and how well?";

/** A word of a shell, of a man page and of a terminal alike; a longer one would break the examples of the help. */
const PLAIN = /^\w[\w.+-]{0,27}$/;

/**
 * The name that this process was started by: `netecho` where the compiled file, or a link to it, is called so. It
 * is `echo` for the sources, and where the name has spaces, controls or more than 28 characters.
 */
export function programName(): string {
  return Deno.build.standalone ? nameIn(process.argv0) : PROGRAM;
}

/** The name in the first word of a command line, such as `/usr/bin/netecho` or `C:\bin\netecho.exe`. */
export function nameIn(word: string): string {
  const name = word.replace(/^.*[/\\]/s, "").replace(/\.exe$/i, "");
  return PLAIN.test(name) ? name : PROGRAM;
}

/** An example of the help, `echo ping :7`, as it is to be typed here: `netecho ping :7`. */
export function typed(line: string, program = programName()): string {
  return line.replace(/^echo(?= |$)/, program);
}
