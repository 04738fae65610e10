/** Programs in C that tests measure against: what they do, and when, is known exactly. */

import { killed, Lines, ROOT, within } from "./helpers.ts";

/** A program, built for one test. */
export class CProgram implements Disposable {
  readonly #folder: string;
  readonly #path: string;
  readonly #under: readonly string[];

  private constructor(folder: string, path: string, under: readonly string[]) {
    this.#folder = folder;
    this.#path = path;
    this.#under = under;
  }

  /** Builds tests/support/NAME.c with gcc; it runs under the words, such as `taskset -c 0`. */
  static async build(name: string, under: readonly string[] = []): Promise<CProgram> {
    const folder = Deno.makeTempDirSync();
    const path = `${folder}/${name}`;
    const args = ["-O1", "-o", path, `${ROOT}tests/support/${name}.c`];
    const { success, stderr } = await new Deno.Command("gcc", { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new CProgram(folder, path, under);
  }

  /** Runs it to its end, and returns the numbers that it prints. */
  async figures(...args: readonly (string | number)[]): Promise<number[]> {
    const { success, stdout } = await this.#command(args, "null").output();
    if (!success) throw new Error(`${this.#path} ${args.join(" ")} failed`);
    return numbers(new TextDecoder().decode(stdout));
  }

  /** Starts a server, which prints its port first, and figures at the end of its stdin. */
  async serve(...args: readonly (string | number)[]): Promise<CServer> {
    const child = this.#command(args, "piped").spawn();
    const lines = new Lines(child.stdout);
    return new CServer(child, lines, Number(await lines.with(/\d/)));
  }

  #command(words: readonly (string | number)[], stdin: "null" | "piped"): Deno.Command {
    const [program = "", ...args] = [...this.#under, this.#path, ...words.map(String)];
    return new Deno.Command(program, { args, stdin, stdout: "piped", stderr: "inherit" });
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
