/** The signals that a process is sent, for all commands alike. */

import process from "node:process";

/** What the signals become. */
export interface Signals {
  /** Aborts at the first signal that asks to stop, with its name as the reason; the second ends the process. */
  readonly stop: AbortSignal;
  /** What Ctrl-C at the terminal calls where it makes no signal. */
  readonly interrupt: () => void;
}

/** Listens to them, from now to the end of the process. */
export function listenToSignals(): Signals {
  const stop = new AbortController();
  const ask = (name: string) => stop.signal.aborted ? Deno.exit(130) : stop.abort(name);
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    Deno.addSignalListener(name, () => ask(name));
  }
  Deno.addSignalListener("SIGUSR1", closeDebugger);
  Deno.addSignalListener("SIGUSR2", () => {}); // without a listener it would end the process
  return { stop: stop.signal, interrupt: () => ask("SIGINT") };
}

/**
 * From 2.9.2 on, `deno run` opens its debugger on SIGUSR1 to every user of the machine, whoever listens for the
 * signal, and has no flag against it; the compiled program does not. It is closed as soon as it is there.
 */
function closeDebugger(): void {
  const { _debugEnd } = process as { _debugEnd?: () => void };
  for (const ms of [0, 20, 200]) setTimeout(() => _debugEnd?.(), ms);
}
