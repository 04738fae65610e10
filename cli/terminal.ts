import process from "node:process";
import { createInterface } from "node:readline";
import { PLATFORM } from "../base/platform.ts";

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
  const byKernel = PLATFORM.signals.includes("SIGCONT") && !maySignalItself();
  if (byKernel) keepSignals();
  const terminal = createInterface({
    input: process.stdin,
    output: process.stderr,
    prompt,
    historySize: 1000,
  });
  let prompting = true;
  let open = true;
  const close = () => terminal.close();
  stop.addEventListener("abort", close, { once: true });
  terminal.on("SIGINT", interrupt);
  // After Ctrl-Z and `fg` readline leaves the input paused.
  terminal.on("SIGCONT", () => prompting ? terminal.prompt(true) : terminal.resume());
  const goOn = () => {
    if (process.stdin.isTTY) process.stdin.setRawMode(true); // the shell has made it its own
    if (prompting) terminal.prompt(true);
  };
  if (byKernel) Deno.addSignalListener("SIGCONT", goOn);
  terminal.once("close", () => {
    open = false;
    // What comes next starts on a line of its own, also where the user types on while a reply is awaited.
    if (prompting || terminal.line !== "") process.stderr.write("\n");
  });
  terminal.prompt();
  for await (const line of terminal) {
    prompting = false;
    if (!await onLine(line)) break;
    if (!open) continue; // it was closed meanwhile, and what was typed ahead is still to come
    prompting = true;
    terminal.prompt();
  }
  stop.removeEventListener("abort", close);
  if (byKernel) Deno.removeSignalListener("SIGCONT", goOn);
  terminal.close();
}

/**
 * Where the program may not stop itself, Ctrl-Z and Ctrl-C are left to the terminal, which sends the signals: then
 * readline does not see the keys, and the shell, which wants lines and echo for itself, sees to that.
 */
function keepSignals(): void {
  process.stdin.setRawMode = (raw) => {
    Deno.stdin.setRaw(raw, { cbreak: raw });
    return process.stdin;
  };
}

/** Deno 2.7 asks for --allow-run even for a signal to oneself. */
function maySignalItself(): boolean {
  try {
    return process.kill(process.pid, 0);
  } catch {
    return false;
  }
}
