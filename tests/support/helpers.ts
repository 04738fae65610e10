/** What every test of the real command needs: start it, talk to it, wait for a sign from it. */

import { fileURLToPath } from "node:url";
import { epollObstacle } from "../../net/engine.ts";
import { pause } from "../../base/time.ts";
import type { Engine } from "../../net/engine.ts";
import config from "../../deno.json" with { type: "json" };

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * The command under test: the compiled binary where ECHO_BIN names one, else the sources as `deno task start` runs them.
 * The tests are to run on the version of Deno that the binary is made of: what they expect depends on it.
 */
export const ECHO: readonly string[] = fromEnvironment() ??
  [Deno.execPath(), ...config.tasks.start.split(" ").slice(1, -1)];

/** `--engine E` for every command that takes it, where ECHO_ENGINE names one: the same tests hold for each. */
export const ENGINE: readonly string[] = engineWords(Deno.env.get("ECHO_ENGINE"));

/** The engine under test. */
export function engineUnderTest(): Engine {
  return ENGINE.includes("epoll") ? "epoll" : "deno";
}

function engineWords(engine: string | undefined): string[] {
  return engine === undefined ? [] : ["--engine", engine];
}

function fromEnvironment(): string[] | undefined {
  const binary = Deno.env.get("ECHO_BIN");
  return binary === undefined ? undefined : [Deno.realPathSync(binary)];
}

/** Whether a program is on the PATH. A test that needs a missing one is ignored, and CI counts it as skipped. */
export function has(...programs: string[]): boolean {
  const path = (Deno.env.get("PATH") ?? "").split(":").concat("/usr/sbin", "/sbin");
  return programs.every((program) =>
    path.some((folder) => {
      try {
        return Deno.statSync(`${folder}/${program}`).isFile;
      } catch {
        return false;
      }
    })
  );
}

/** Deno 2.7 leaves a pending write in place when its connection is closed: the descriptor goes when the peer does. */
export const CANCELS_WRITES = !Deno.version.deno.startsWith("2.7.");

/** Waits for what must happen; after `ms` it fails, and says what did not. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For a sign that can only be looked for: a state in /proc, a port that starts to answer. */
export async function until(
  what: string,
  sign: () => boolean | Promise<boolean>,
  ms = 10_000,
  every = 10,
): Promise<void> {
  const end = performance.now() + ms;
  while (!await sign()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(every);
  }
}

/** All lines that a process has written so far, and a way to wait for one. */
export class Lines {
  readonly all: string[] = [];
  /** Resolves when the stream ends. */
  readonly ended: Promise<void>;
  #wake: (() => void)[] = [];

  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#read(stream);
  }

  /** The first line, of all so far and to come, that has `what` in it. */
  async with(what: string | RegExp, ms = 10_000): Promise<string> {
    const matches = (line: string) => typeof what === "string" ? line.includes(what) : what.test(line);
    let seen = 0;
    const find = async () => {
      for (;;) {
        for (; seen < this.all.length; seen++) {
          const line = this.all[seen]!;
          if (matches(line)) return line;
        }
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    };
    try {
      return await within(ms, `a line with ${what}`, find());
    } catch (error) {
      throw new Error(`${(error as Error).message}; the lines were:\n${this.all.slice(-20).join("\n")}`);
    }
  }

  /** The lines of the server's JSON log that are of this event. */
  events(event: string): Record<string, unknown>[] {
    return this.all.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line))
      .filter((entry) => entry.event === event);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.all.push(...lines);
      for (const wake of this.#wake.splice(0)) wake();
    }
    if (rest !== "") this.all.push(rest);
    for (const wake of this.#wake.splice(0)) wake();
  }
}

export interface StartOptions {
  /** Words before the command, such as `prlimit --nofile=256`. */
  readonly under?: readonly string[];
  readonly env?: Record<string, string>;
  /** Deno behaves as it does there. Not for a compiled program. */
  readonly as?: "windows";
}

/** The command under test, on the system that was asked for. */
function echoAs(system: StartOptions["as"]): readonly string[] {
  if (system === undefined) return ECHO;
  const [deno = "", run = "", ...rest] = ECHO;
  return [deno, run, "--preload", `${ROOT}tests/support/as_${system}.ts`, ...rest];
}

/** A running `echo serve`, with its JSON log on stderr; killed when the test leaves the block (`await using`). */
export class ServerProcess implements AsyncDisposable {
  readonly log: Lines;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.log = new Lines(child.stderr);
  }

  /** Starts it and waits until it listens. Without an address in `words`: 127.0.0.1 and a free port. */
  static async start(
    words: readonly string[] = [],
    { under = [], env = {}, as }: StartOptions = {},
  ): Promise<ServerProcess> {
    const hasAddress = words.some((word) => /^(\[|:|\d+\.|[a-z]+:|\d+$)/.test(word) && /[:.]/.test(word));
    const [program = "", ...args] = [
      ...under,
      ...echoAs(as),
      "serve",
      ...(hasAddress ? [] : ["127.0.0.1:0"]),
      ...(words.includes("--engine") ? [] : ENGINE),
      "--log-format",
      "json",
      ...words,
    ];
    const child = new Deno.Command(program, {
      args,
      env,
      cwd: ROOT,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    const server = new ServerProcess(child.spawn());
    await server.log.with('"listening"');
    return server;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The port of the first address. */
  get port(): number {
    return Number(/:(\d+)$/.exec(String(this.log.events("listening")[0]!["address"]))![1]);
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  connect(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: "127.0.0.1", port: this.port });
  }

  /** Stops it with SIGTERM and returns its exit code, its log read to the end. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.kill(signal);
    const { code } = await within(15_000, `the end after ${signal}`, this.status);
    await this.log.ended;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killed(this.#child);
    await this.log.ended;
  }
}

/** How many bytes the log says were received. */
export const loggedBytes = (server: ServerProcess): number =>
  server.log.events("message").reduce((sum, { bytes }) => sum + Number(bytes), 0);

/** Ends a process, if it has not ended, and waits until it is gone. */
export async function killed(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch { /* it has ended */ }
  await child.status;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
  /** Milliseconds, with the start of the process. */
  readonly took: number;
}

/** What a client takes that is not told. */
export const ENGINE_OF_CLIENTS = ENGINE[1] ?? (epollObstacle() === undefined ? "epoll" : "deno");

/** The words of a command, with the engine under test where it takes one. */
export function onEngine(words: readonly string[]): string[] {
  const [command = "", ...rest] = words;
  const takes = ["serve", "connect", "ping", "bench"].includes(command) && !rest.includes("--engine") &&
    !rest.some((word) => word.startsWith("tls:"));
  return takes ? [command, ...ENGINE, ...rest] : [...words];
}

/** Runs `echo WORDS` to its end, with `stdin` piped in. */
export async function run(
  words: readonly string[],
  { stdin, under = [], env = {}, as }: StartOptions & {
    stdin?: string | Uint8Array | ReadableStream<Uint8Array>;
  } = {},
): Promise<RunResult> {
  const [program = "", ...args] = [
    ...under,
    ...echoAs(as).filter((word) => word !== "serve"),
    ...onEngine(words),
  ];
  const begin = performance.now();
  const child = new Deno.Command(program, {
    args,
    env,
    cwd: ROOT,
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const source = stdin instanceof ReadableStream ? stdin : new Blob([stdin as BlobPart]).stream();
    source.pipeTo(child.stdin).catch(() => {}); // it may end before it has read all
  }
  const { code, stdout, stderr } = await within(60_000, `the end of echo ${words.join(" ")}`, child.output());
  return { code, stdout, stderr: new TextDecoder().decode(stderr), took: performance.now() - begin };
}

/** Writes all of the bytes. */
export async function writeAll(
  conn: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Reads exactly `n` bytes, or what there is before the end of the stream. */
export async function readUpTo(
  conn: { read(into: Uint8Array): Promise<number | null> },
  n: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(n);
  let at = 0;
  while (at < n) {
    const got = await conn.read(bytes.subarray(at));
    if (got === null) break;
    at += got;
  }
  return bytes.subarray(0, at);
}

/** Sends text, reads as much back. */
export async function roundTrip(conn: Deno.Conn, text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  await writeAll(conn, bytes);
  return new TextDecoder().decode(await readUpTo(conn, bytes.length));
}

/** Bytes that no two offsets or seeds share by accident: a small generator (xorshift32), the same for the same seed. */
export function noise(n: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(n);
  let x = seed | 0 || 1;
  for (let i = 0; i < n; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x & 0xff;
  }
  return bytes;
}

export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A server of the test's own, on a free port of 127.0.0.1, that treats each connection as `handle` says. */
export function peer(handle: (conn: Deno.TcpConn) => Promise<void>): Disposable & { readonly port: number } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  (async () => {
    for (;;) {
      let conn: Deno.TcpConn;
      try {
        conn = await listener.accept();
      } catch {
        return;
      }
      open.add(conn);
      handle(conn).catch(() => {}).finally(() => close(conn));
    }
  })();
  const close = (conn: Deno.TcpConn) => {
    if (open.delete(conn)) conn.close();
  };
  return {
    port: listener.addr.port,
    [Symbol.dispose]() {
      listener.close();
      for (const conn of open) close(conn);
    },
  };
}

/** How often a figure may be spoilt by what else runs on this machine. One that is wrong is wrong each time. */
const ATTEMPTS = 6;

/** Passes when one of a few attempts does: for checks of times, and of what depends on them. */
export async function holds(check: () => Promise<void>): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}
