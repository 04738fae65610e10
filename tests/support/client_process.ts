/** A client command that runs beside the test: ping or bench, with its lines as they come. */

import { ECHO, killed, Lines, onEngine, ROOT, run, within } from "./helpers.ts";

export class ClientProcess implements AsyncDisposable {
  readonly out: Lines;
  readonly err: Lines;
  readonly #child: Deno.ChildProcess;

  constructor(...words: string[]) {
    const [program = "", ...args] = [...ECHO.filter((word) => word !== "serve"), ...onEngine(words)];
    this.#child = new Deno.Command(program, {
      args,
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.out = new Lines(this.#child.stdout);
    this.err = new Lines(this.#child.stderr);
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for the end and returns the exit code; all lines are there then. */
  async ended(ms = 20_000): Promise<number> {
    const { code } = await within(ms, "the end of the client", this.#child.status);
    await Promise.all([this.out.ended, this.err.ended]);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killed(this.#child);
    await Promise.all([this.out.ended, this.err.ended]);
  }
}

/** `echo ping WORDS --json` to its end: the object of its summary, and those before it. */
export async function pingJson(words: string) {
  const { code, stdout } = await run(["ping", ...words.split(" "), "--json"]);
  const objects = new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => JSON.parse(line));
  return { code, end: objects.pop(), objects };
}

/** What a relay makes of a piece that begins at `offset` of its connection. */
export type Mangle = (piece: Uint8Array, offset: number) => Uint8Array;

/** Sends back what arrives, as `mangle` makes it. */
export function mangled(mangle: Mangle): (conn: Deno.TcpConn) => Promise<void> {
  return async (conn) => {
    const buffer = new Uint8Array(64 << 10);
    for (let offset = 0;;) {
      const n = await conn.read(buffer);
      if (n === null) return;
      const piece = mangle(buffer.slice(0, n), offset);
      for (let at = 0; at < piece.length;) at += await conn.write(piece.subarray(at));
      offset += n;
    }
  };
}

/** A change at one offset of the stream. */
export function at(offset: number, change: (byte: number) => number[]): Mangle {
  return (piece, from) =>
    Uint8Array.from([...piece].flatMap((byte, i) => from + i === offset ? change(byte) : [byte]));
}

/** An echo server of xinetd's kind: socat starts a `cat` for each connection. Resolves when it listens. */
export async function socat(): Promise<AsyncDisposable & { readonly port: number }> {
  const child = new Deno.Command("socat", {
    args: ["-dd", "tcp-listen:0,bind=127.0.0.1,fork", "EXEC:cat"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = new Lines(child.stderr);
  const line = await lines.with("listening on");
  return {
    port: Number(/:(\d+)$/.exec(line)![1]),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await lines.ended;
    },
  };
}
