/** A server whose log tells nothing of its port. */

import { ECHO, ENGINE, ROOT, type StartOptions, until } from "./helpers.ts";

/** A port of 127.0.0.1 that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts a server that is quiet, or whose stderr nobody reads, and waits until its port answers. */
export async function startSilent(
  words: readonly string[],
  { stderr = "null", under = [], env = {} }: StartOptions & { stderr?: "null" | "piped" } = {},
): Promise<
  AsyncDisposable & {
    readonly child: Deno.ChildProcess;
    readonly port: number;
    connect(): Promise<Deno.TcpConn>;
  }
> {
  const port = freePort();
  const [program = "", ...args] = [...under, ...ECHO, "serve", `127.0.0.1:${port}`, ...ENGINE, ...words];
  const options = { args, env, cwd: ROOT, stdin: "null", stdout: "null", stderr } as const;
  const child = new Deno.Command(program, options).spawn();
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  await until(`port ${port} answers`, () => connect().then((conn) => (conn.close(), true), () => false));
  return {
    child,
    port,
    connect,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch { /* it has ended */ }
      await child.status;
      if (stderr === "piped" && !child.stderr.locked) await child.stderr.cancel();
    },
  };
}
