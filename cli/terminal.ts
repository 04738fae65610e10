import process from "node:process";
import { createInterface } from "node:readline";

/**
 * Prompts for lines at the terminal, with history and editing, and hands each to `onLine`, until that returns
 * false, Ctrl-D is pressed, or `stop` aborts, which is for `interrupt` to bring about when Ctrl-C is pressed. The
 * prompt goes to stderr.
 */
export async function readLines(
  prompt: string,
  stop: AbortSignal,
  interrupt: () => void,
  onLine: (line: string) => Promise<boolean>,
): Promise<void> {
  const terminal = createInterface({
    input: process.stdin,
    output: process.stderr,
    prompt,
    historySize: 1000,
  });
  let prompting = true;
  const close = () => terminal.close();
  stop.addEventListener("abort", close, { once: true });
  terminal.on("SIGINT", interrupt);
  // After Ctrl-Z and `fg` readline leaves the input paused.
  terminal.on("SIGCONT", () => prompting ? terminal.prompt(true) : terminal.resume());
  // Where it may not stop itself, a listener keeps readline from trying, and Ctrl-Z does nothing.
  if (!maySignalItself()) terminal.on("SIGTSTP", () => {});
  terminal.once("close", () => {
    // What comes next starts on a line of its own, also where the user types on while a reply is awaited.
    if (prompting || terminal.line !== "") process.stderr.write("\n");
  });
  terminal.prompt();
  for await (const line of terminal) {
    prompting = false;
    if (!await onLine(line)) break;
    prompting = true;
    terminal.prompt();
  }
  stop.removeEventListener("abort", close);
  terminal.close();
}

/** Deno 2.7 asks for --allow-run even for a signal to oneself. */
function maySignalItself(): boolean {
  try {
    return process.kill(process.pid, 0);
  } catch {
    return false;
  }
}
