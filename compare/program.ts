/** Programs that run for a while beside us: in groups of their own, bounded in time, and gone when we are. */

import { pause } from "../base/time.ts";
import { Failure } from "../base/errors.ts";

/** How a program is run. */
export interface ProgramOptions {
  /** When it is killed at the latest, by timeout(1): even if we are killed before it. */
  readonly seconds: number;
  /** The processor that it is pinned to; undefined: any. */
  readonly core?: number | undefined;
  readonly cwd?: string;
  /** Aborts when we are asked to stop. */
  readonly stop: AbortSignal;
}

/** What is kept of each of its streams, in characters. */
const KEPT = 1 << 20;
const POLL_MS = 10;

/**
 * A running program; it and all that it has started are killed when its block is left (`await using`). Its
 * stdin stays open until then, and is empty.
 */
export class Program implements AsyncDisposable {
  readonly stdout: Tail;
  readonly stderr: Tail;
  /** Its exit code; of a program that a signal has ended 128 and more. */
  readonly ended: Promise<number>;
  running = true;
  readonly #child: Deno.ChildProcess;
  readonly #stop: AbortSignal;
  readonly #onStop = () => this.#kill();

  /** Throws Failure if it cannot be started. */
  constructor(words: readonly string[], { seconds, core, cwd, stop }: ProgramOptions) {
    stop.throwIfAborted();
    const pin = core === undefined ? [] : ["taskset", "-c", String(core)];
    const args = ["-s", "KILL", String(Math.ceil(seconds)), ...pin, ...words];
    try {
      // timeout(1) also makes the process group.
      const options = {
        args,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
        ...(cwd === undefined ? {} : { cwd }),
      };
      this.#child = new Deno.Command("timeout", options as Deno.CommandOptions).spawn();
    } catch (error) {
      throw new Failure(`cannot start ${words[0]}: ${error instanceof Error ? error.message : error}`);
    }
    this.stdout = new Tail(this.#child.stdout);
    this.stderr = new Tail(this.#child.stderr);
    this.ended = this.#child.status.then(({ code }) => {
      this.running = false;
      return code;
    });
    this.#stop = stop;
    stop.addEventListener("abort", this.#onStop, { once: true });
  }

  /** Memory of the program in bytes (its resident set), or undefined where the system does not tell. */
  residentBytes(): number | undefined {
    try {
      const timeout = this.#child.pid;
      const pid = Deno.readTextFileSync(`/proc/${timeout}/task/${timeout}/children`).trim();
      const status = Deno.readTextFileSync(`/proc/${pid}/status`);
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
    } catch {
      return undefined;
    }
  }

  /** Why it failed, as it says itself: its last line on stderr. */
  complaint(): string {
    return this.stderr.text.trim().split("\n").at(-1) || "it says nothing";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill();
    await this.ended;
    await this.#closeStdin();
    await Promise.all([this.stdout.ended, this.stderr.ended]);
    this.#stop.removeEventListener("abort", this.#onStop);
  }

  async #closeStdin(): Promise<void> {
    try {
      await this.#child.stdin.close();
    } catch { /* nobody reads it any more */ }
  }

  #kill(): void {
    try {
      // The group also outlives its first process: socat forks.
      Deno.kill(-this.#child.pid, "SIGKILL");
    } catch {
      try {
        this.#child.kill("SIGKILL"); // it has not made its group yet
      } catch { /* it has ended */ }
    }
  }
}

/** Runs a program to its end and returns what it wrote to stdout. Throws Failure when it fails. */
export async function output(words: readonly string[], options: ProgramOptions): Promise<string> {
  await using program = new Program(words, options);
  const code = await program.ended;
  options.stop.throwIfAborted();
  await Promise.all([program.stdout.ended, program.stderr.ended]);
  if (code === 0) return program.stdout.text;
  const name = words[0]!.split("/").at(-1)!;
  const why = code === 137 ? `not finished within ${Math.ceil(options.seconds)} s` : program.complaint();
  throw new Failure(why.startsWith(`${name}:`) ? why : `${name}: ${why}`);
}

/** Waits until `done`, at most `ms`. Returns whether it is. */
export async function until(done: () => boolean | Promise<boolean>, ms: number): Promise<boolean> {
  const end = performance.now() + ms;
  while (!await done()) {
    if (performance.now() > end) return false;
    await pause(POLL_MS);
  }
  return true;
}

/** The end of what a program has written so far. */
class Tail {
  text = "";
  readonly ended: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.text = (this.text + text).slice(-KEPT);
    }
  }
}
