/**
 * Whether a program works on this system: serve, connect, ping and bench over TCP and UDP, and the exit codes. For
 * systems that the tests were not written for.
 *
 *   deno run -A tools/smoke.ts ./netecho
 */

import config from "../deno.json" with { type: "json" };

const END_MS = 60_000;

/** How a command ended. */
interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function ended(command: readonly string[], words: readonly string[]): Promise<Ended> {
  const [program = "", ...args] = [...command, ...words];
  const signal = AbortSignal.timeout(END_MS);
  const { code, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null", signal }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** A server of the program on free ports of 127.0.0.1, by scheme. */
class Server {
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<void>;
  #said = "";
  #wake = () => {};

  constructor(command: readonly string[]) {
    const [program = "", ...args] = [...command, "serve", "tcp://127.0.0.1:0", "udp://127.0.0.1:0"];
    this.#child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    this.#ended = this.#read();
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#said += text;
      this.#wake();
    }
    this.#wake();
  }

  /** The first address of a scheme that it says it listens on. Throws if it ends before. */
  async address(scheme: string): Promise<string> {
    const over = this.#ended.then(() => true);
    for (;;) {
      const found = new RegExp(`listening on (${scheme}://127\\.0\\.0\\.1:\\d+)\\b`).exec(this.#said)?.[1];
      if (found !== undefined) return found;
      const more = new Promise<false>((resolve) => this.#wake = () => resolve(false));
      if (await Promise.race([more, over])) {
        throw new Error(`serve does not listen on ${scheme}: ${this.#said}`);
      }
    }
  }

  /** Stops it as Ctrl-C does, and returns its exit code. Windows has no such signal: there it is ended. */
  async stop(): Promise<number> {
    try {
      this.#child.kill(Deno.build.os === "windows" ? "SIGKILL" : "SIGINT");
    } catch { /* it has ended by itself */ }
    await this.#ended;
    return (await this.#child.status).code;
  }
}

type Check = readonly [words: readonly string[], code: number, says: RegExp];

/** What is asked of the clients, and what they must come to. */
function checks(tcp: string, udp: string): Check[] {
  return [
    [["--version"], 0, new RegExp(`^\\w+ ${config.version.replaceAll(".", "\\.")}\\s`)],
    [["connect", tcp, "hello"], 0, /hello/],
    [["connect", udp, "hello"], 0, /hello/],
    [["ping", tcp, "-c", "3", "-i", "100ms", "-s", "1000"], 0, /3 transmitted, 3 received, 0% loss/],
    [["ping", udp, "-c", "3", "-i", "100ms"], 0, /3 transmitted, 3 received, 0% loss/],
    [["bench", tcp, "-c", "4", "-d", "1s", "--json"], 0, /"messages":\s*[1-9]/],
    [["bench", udp, "-c", "2", "-d", "1s", "--rate", "200"], 0, /messages\s+[1-9]/],
    [["ping", "127.0.0.1:1", "-c", "1", "-W", "1s"], 1, /127\.0\.0\.1:1/],
    [["connect", "--prot", "1"], 2, /unknown flag --prot/],
  ];
}

/** Prints a line a check. Returns whether all came to what they must. */
async function main(command: readonly string[]): Promise<boolean> {
  const server = new Server(command);
  let right = true;
  const judge = (what: string, good: boolean, found: string) => {
    console.log(`${good ? "ok" : "FAILED"}  ${what}${good ? "" : `\n${found}`}`);
    right &&= good;
  };
  try {
    for (const [words, code, says] of checks(await server.address("tcp"), await server.address("udp"))) {
      const found = await ended(command, words);
      const good = found.code === code && says.test(found.stdout + found.stderr);
      judge(
        words.join(" "),
        good,
        `exit code ${found.code}, not ${code}, or not ${says}: ${found.stdout}${found.stderr}`,
      );
    }
  } finally {
    const code = await server.stop();
    if (Deno.build.os !== "windows") {
      judge("serve, stopped by SIGINT", code === 0, `exit code ${code}, not 0`);
    }
  }
  return right;
}

if (import.meta.main) {
  try {
    if (Deno.args.length === 0) throw new Error("name the program: deno run -A tools/smoke.ts ./netecho");
    Deno.exitCode = await main(Deno.args) ? 0 : 1;
  } catch (error) {
    console.error(`smoke: ${(error as Error).message}`);
    Deno.exitCode = 1;
  }
}
