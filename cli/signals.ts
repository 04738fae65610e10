/** The signals that a process is sent, for all commands alike. */

import { PLATFORM } from "../base/platform.ts";

/** What the signals become. */
export interface Signals {
  /** Aborts at the first signal that asks to stop, with its name as the reason; the second ends the process. */
  readonly stop: AbortSignal;
  /** What Ctrl-C at the terminal calls where it makes no signal. */
  readonly interrupt: () => void;
  /** What SIGQUIT, or Ctrl-Break on Windows, does from now on, in place of asking to stop. */
  readonly onQuit: (tell: () => void) => void;
}

/**
 * Signals that come closer than this are one wish: the terminal sends SIGINT to all of its group, and `deno task`
 * passes on its own; a service manager sends TERM and HUP together.
 */
const ONE_WISH_MS = 500;

/** What a shell reports for a process that a signal has ended, less the number of the signal. */
const ENDED_BY = 128;

/** Listens to a signal to the end of the process, if this system has it. */
export function onSignal(name: Deno.Signal, tell: () => void): void {
  if (PLATFORM.signals.includes(name)) Deno.addSignalListener(name, tell);
}

/**
 * From 2.9.2 on, `deno run` opens its debugger on SIGUSR1, to every user of the machine, from half a second after its
 * start on. Nothing prevents it but to be gone: so the signal does what it does to a process that does not know it.
 */
export function keepDebuggerShut(): void {
  onSignal("SIGUSR1", () => Deno.exit(ENDED_BY + (PLATFORM.usr1 ?? 0)));
}

/** Listens to them, from now to the end of the process. */
export function listenToSignals(): Signals {
  const stop = new AbortController();
  let asked = 0;
  const ask = (name: string) => {
    if (!stop.signal.aborted) {
      asked = performance.now();
      stop.abort(name);
    } else if (performance.now() - asked >= ONE_WISH_MS) Deno.exit(130);
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) onSignal(name, () => ask(name));
  let onQuit: (() => void) | undefined;
  for (const name of ["SIGQUIT", "SIGBREAK"] as const) onSignal(name, () => onQuit ? onQuit() : ask(name));
  onSignal("SIGUSR2", () => {}); // without a listener it would end the process
  return { stop: stop.signal, interrupt: () => ask("SIGINT"), onQuit: (tell) => onQuit = tell };
}
