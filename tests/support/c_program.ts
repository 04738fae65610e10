/** Programs in C that tests measure against: what they do, and when, is known exactly. */

import { killed, Lines, ROOT, within } from "./helpers.ts";

/** A program, built for one test. */
export class CProgram implements Disposable {
  readonly #folder: string;
  readonly #path: string;

  private constructor(folder: string, path: string) {
    this.#folder = folder;
    this.#path = path;
  }

  /** Builds tests/support/NAME.c with gcc. */
  static async build(name: string): Promise<CProgram> {
    const folder = Deno.makeTempDirSync();
    const path = `${folder}/${name}`;
    const args = ["-O1", "-o", path, `${ROOT}tests/support/${name}.c`];
    const { success, stderr } = await new Deno.Command("gcc", { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new CProgram(folder, path);
  }

  /** Runs it to its end, and returns the numbers that it prints. */
  async figures(...args: readonly (string | number)[]): Promise<number[]> {
    const command = new Deno.Command(this.#path, { args: args.map(String), stderr: "inherit" });
    const { success, stdout } = await command.output();
    if (!success) throw new Error(`${this.#path} ${args.join(" ")} failed`);
    return numbers(new TextDecoder().decode(stdout));
  }

  /** Starts a server, which prints its port first, and figures at the end of its stdin. */
  async serve(...args: readonly (string | number)[]): Promise<CServer> {
    const child = new Deno.Command(this.#path, {
      args: args.map(String),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = new Lines(child.stdout);
    return new CServer(child, lines, Number(await lines.with(/\d/)));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

export class CServer implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #lines: Lines;

  constructor(child: Deno.ChildProcess, lines: Lines, port: number) {
    this.#child = child;
    this.#lines = lines;
    this.port = port;
  }

  /** Resolves when it prints this. */
  async says(what: string): Promise<void> {
    await this.#lines.with(what);
  }

  /** Ends it. Returns the numbers that it then prints. */
  async end(): Promise<number[]> {
    await this.#child.stdin.close();
    await within(5000, "the end of a server in C", this.#lines.ended);
    return numbers(this.#lines.all.at(-1)!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {}); // it was closed, or the server is gone
    await killed(this.#child);
    await this.#lines.ended;
  }
}

function numbers(text: string): number[] {
  return text.trim().split(/\s+/).map(Number);
}
