/** A real HAProxy for the tests. */

/** HAProxy in TCP mode with these `listen` sections; `port(name)` is the port of one. It connects from 127.0.0.9. */
export async function haproxy(
  sections: Readonly<Record<string, { bind?: string; server: string; more?: readonly string[] }>>,
): Promise<AsyncDisposable & { port(name: string): number }> {
  const ports = Object.fromEntries(
    Object.keys(sections).map((name) => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      return [name, listener.addr.port];
    }),
  );
  const config = [
    "defaults",
    "  mode tcp",
    ...["connect", "client", "server", "check"].map((what) => `  timeout ${what} 10s`),
    ...Object.entries(sections).flatMap(([name, { bind = "", server, more = [] }]) => [
      `listen ${name}`,
      `  bind ${bind.includes(":") ? `${bind}` : `127.0.0.1:${ports[name]} ${bind}`}`.replace(
        "PORT",
        `${ports[name]}`,
      ),
      ...more.map((line) => `  ${line}`),
      `  server echo ${server} source 127.0.0.9`,
    ]),
  ];
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/haproxy.cfg`, `${config.join("\n")}\n`);
  const child = new Deno.Command("/usr/bin/env", {
    args: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "haproxy", "-db", "-q", "-f", `${folder}/haproxy.cfg`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const end = performance.now() + 10_000;
  for (const port of Object.values(ports)) {
    while (
      !await Deno.connect({ hostname: "127.0.0.1", port }).then((conn) => (conn.close(), true), () => false)
    ) {
      if (performance.now() > end) throw new Error(`HAProxy does not listen:\n${config.join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  return {
    port: (name) => ports[name]!,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
