/** Unix sockets on the real command: whose file is touched, with which mode, and what goes through. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  has,
  noise,
  readUpTo,
  ROOT,
  roundTrip,
  run,
  ServerProcess,
  sha256,
  within,
  writeAll,
} from "../support/helpers.ts";

const decoder = new TextDecoder();

/** A new folder, gone with all that is in it at the end of the block. */
class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync();
  readonly socket = `${this.path}/echo.sock`;

  list(): string[] {
    return Array.from(Deno.readDirSync(this.path), ({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

const connect = (path: string) => Deno.connect({ transport: "unix", path });

async function echoes(path: string): Promise<void> {
  using conn = await connect(path);
  assertEquals(await roundTrip(conn, "hello"), "hello");
}

/** Runs what must fail with one line. */
async function fails(
  code: number,
  why: RegExp,
  words: string[],
  under: readonly string[] = [],
): Promise<void> {
  const result = await run(words, { under });
  assertEquals(result.code, code, result.stderr);
  assertMatch(result.stderr, why);
  assertEquals(result.stderr.trimEnd().split("\n").length, 1, result.stderr);
}

/** Root may write anywhere, unless it gives up the right to. */
const unprivileged = Deno.uid() === 0 ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] : [];

Deno.test("a socket is there while the server runs, and nothing is left behind", async () => {
  using folder = new Folder();
  await using server = await ServerProcess.start([`unix:${folder.socket}`]);
  assertEquals(server.log.events("listening")[0]!["address"], `unix:${folder.socket}`);
  assertEquals(folder.list(), ["echo.sock"]);
  assert(Deno.lstatSync(folder.socket).isSocket);
  await echoes(folder.socket);
  assertEquals(await server.stop(), 0);
  assertEquals(folder.list(), []);
});

Deno.test("of the trade: a stale socket is replaced", async () => {
  using folder = new Folder();
  {
    await using server = await ServerProcess.start([`unix:${folder.socket}`]);
    server.kill("SIGKILL");
    await server.status;
  }
  assertEquals(folder.list(), ["echo.sock"]);
  await fails(1, /nothing listens there; if it is a socket, its server is gone/, [
    "connect",
    `unix:${folder.socket}`,
    "x",
  ]);
  await using server = await ServerProcess.start([`unix:${folder.socket}`]);
  await echoes(folder.socket);
  assertEquals(await server.stop(), 0);
  assertEquals(folder.list(), []);
});

Deno.test("of the trade: a live socket is refused, and goes on", async () => {
  using folder = new Folder();
  await using server = await ServerProcess.start([`unix:${folder.socket}`]);
  const { ino } = Deno.lstatSync(folder.socket);
  await fails(1, /cannot listen on unix:.*: a live server has it; stop it, or take another path/, [
    "serve",
    `unix:${folder.socket}`,
  ]);
  assertEquals(Deno.lstatSync(folder.socket).ino, ino);
  assertEquals(folder.list(), ["echo.sock"]);
  await echoes(folder.socket);
  assertEquals(await server.stop(), 0);
});

Deno.test("of the trade: a file, a folder and a link are never touched", async () => {
  using folder = new Folder();
  const at = (name: string) => `${folder.path}/${name}`;
  Deno.writeTextFileSync(at("file"), "precious");
  Deno.mkdirSync(at("folder"));
  Deno.symlinkSync("nowhere", at("dangling"));
  {
    await using dead = await ServerProcess.start([`unix:${at("stale")}`]);
    dead.kill("SIGKILL");
    await dead.status;
  }
  Deno.symlinkSync("stale", at("to-stale"));
  const before = folder.list();
  for (const name of ["file", "folder", "dangling", "to-stale"]) {
    await fails(1, /there is a file that is no socket; remove it, or take another path/, [
      "serve",
      `unix:${at(name)}`,
    ]);
  }
  assertEquals(folder.list(), before);
  assertEquals(Deno.readTextFileSync(at("file")), "precious");
  assertEquals(Deno.readLinkSync(at("dangling")), "nowhere");
  assertEquals(Deno.readLinkSync(at("to-stale")), "stale");
});

Deno.test("on leaving, a socket that another server has put there stays", async () => {
  using folder = new Folder();
  await using first = await ServerProcess.start([`unix:${folder.socket}`]);
  using client = await connect(folder.socket);
  assertEquals(await roundTrip(client, "still here"), "still here");
  Deno.removeSync(folder.socket);
  await using second = await ServerProcess.start([`unix:${folder.socket}`]);
  const [code] = await Promise.all([first.stop(), readUpTo(client, 1).then(() => client.closeWrite())]);
  assertEquals(code, 0);
  await echoes(folder.socket);
  assertEquals(await second.stop(), 0);
  assertEquals(folder.list(), []);
});

for (const [flag, mode] of [["0660", 0o660], ["600", 0o600], [undefined, 0o755]] as const) {
  const name = flag === undefined
    ? "without --socket-mode the umask decides"
    : `--socket-mode ${flag} is in force`;
  Deno.test({
    name: `${name} from the first moment`,
    ignore: !has("strace"),
    async fn() {
      using folder = new Folder();
      // A slow chmod, under a generous umask, would leave the socket open for half a second.
      const slow = "chmod,fchmodat,fchmod";
      const trace = ["-D", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${slow}`];
      trace.push("-e", `inject=${slow}:delay_enter=300000`);
      const mask = flag === undefined ? "022" : "0";
      const starting = ServerProcess.start(
        [`unix:${folder.socket}`, ...(flag === undefined ? [] : ["--socket-mode", flag])],
        { under: ["sh", "-c", `umask ${mask}; exec "$@"`, "sh", "strace", ...trace] },
      );
      let started = false;
      starting.then(() => started = true, () => started = true);
      const modes = new Set<number>();
      const others = new Set<number>();
      while (!started) {
        for (const file of folder.list()) {
          try {
            const seen = Deno.lstatSync(`${folder.path}/${file}`).mode! & 0o777;
            (file === "echo.sock" ? modes : others).add(seen);
          } catch { /* gone in between */ }
        }
        await new Promise((resolve) => setTimeout(resolve));
      }
      await using server = await starting;
      assertEquals([...modes], [mode]);
      // Where it is made, nobody else may enter.
      if (flag !== undefined) assertEquals([...others], [0o700]);
      await echoes(folder.socket);
      assertEquals(await server.stop(), 0);
    },
  });
}

Deno.test("a path of 107 bytes works, a longer one is refused, and so is one in a folder too deep for a socket", async () => {
  using folder = new Folder();
  const name = (bytes: number) => `${folder.path}/`.padEnd(bytes, "s");
  assertEquals(name(107).length, 107);
  {
    await using server = await ServerProcess.start([`unix:${name(107)}`]);
    await echoes(name(107));
    assertEquals(await server.stop(), 0);
  }
  await fails(2, /its path has 108 bytes; a Unix socket takes 107/, ["serve", `unix:${name(108)}`]);
  await fails(2, /its path has 108 bytes/, ["connect", `unix:${name(108)}`, "x"]);
  // All of the folder's path counts, and a socket is made under another name first, of six bytes.
  const deep = name(100);
  Deno.mkdirSync(deep);
  {
    await using server = await ServerProcess.start([`unix:${deep}/s`]);
    await echoes(`${deep}/s`);
    assertEquals(await server.stop(), 0);
  }
  Deno.mkdirSync(name(105));
  await fails(1, /its path is too long for one/, ["serve", `unix:${name(105)}/s`]);
  assertEquals(folder.list().map((each) => each.length), [99, 104].map((n) => n - folder.path.length));
});

Deno.test({
  name: "a folder that is not there or cannot be written is one line",
  ignore: Deno.uid() === 0 && !has("setpriv"),
  async fn() {
    using folder = new Folder();
    await fails(1, /cannot listen on unix:.*: there is no such socket, or no such folder/, [
      "serve",
      `unix:${folder.path}/none/s`,
    ]);
    await fails(1, /cannot connect to unix:.*: there is no such socket, or no such folder/, [
      "connect",
      `unix:${folder.socket}`,
      "x",
    ]);
    Deno.chmodSync(folder.path, 0o555);
    const words = ["serve", `unix:${folder.socket}`];
    await fails(1, /cannot listen on unix:.*: permission denied; look at the owner/, words, unprivileged);
    assertEquals(folder.list(), []);
  },
});

Deno.test({
  name: "a socket that may no longer be removed at the stop is left, and the stop is as any other",
  ignore: Deno.uid() === 0 && !has("setpriv"),
  async fn() {
    using folder = new Folder();
    await using server = await ServerProcess.start([`unix:${folder.socket}`], { under: unprivileged });
    await echoes(folder.socket);
    Deno.chmodSync(folder.path, 0o555);
    assertEquals(await server.stop(), 0);
    assertEquals(server.log.events("stopped").length, 1);
    assertEquals(folder.list(), ["echo.sock"]);
    Deno.chmodSync(folder.path, 0o700);
  },
});

Deno.test("connect unix: sends a message, and all of a pipe", async () => {
  using folder = new Folder();
  await using server = await ServerProcess.start([`unix:${folder.socket}`]);
  const hello = await run(["connect", `unix:${folder.socket}`, "hello", "there"]);
  assertEquals([hello.code, decoder.decode(hello.stdout)], [0, "hello there\n"], hello.stderr);
  const bytes = noise(3_000_000);
  const { code, stdout, stderr } = await run(["connect", `unix:${folder.socket}`], { stdin: bytes });
  assertEquals([code, await sha256(stdout)], [0, await sha256(bytes)], stderr);
  assertEquals(await server.stop(), 0);
});

Deno.test({
  name: "socat as the client, and as the server",
  ignore: !has("socat"),
  async fn() {
    using folder = new Folder();
    const bytes = noise(1_000_000);
    const sum = await sha256(bytes);
    {
      await using server = await ServerProcess.start([`unix:${folder.socket}`]);
      const child = new Deno.Command("socat", {
        args: ["-t10", "-", `UNIX-CONNECT:${folder.socket}`],
        cwd: ROOT,
        stdin: "piped",
        stdout: "piped",
      }).spawn();
      const input = child.stdin.getWriter();
      const [{ code, stdout }] = await Promise.all([
        within(20_000, "the end of socat", child.output()),
        input.write(bytes).then(() => input.close()),
      ]);
      assertEquals([code, await sha256(stdout)], [0, sum]);
      assertEquals(await server.stop(), 0);
    }
    const child = new Deno.Command("socat", {
      args: ["-t10", `UNIX-LISTEN:${folder.socket}`, "EXEC:cat"],
      stdin: "null",
      stdout: "null",
    }).spawn();
    const result = await run(["connect", `unix:${folder.socket}`, "--retry", "10s"], { stdin: bytes });
    assertEquals([result.code, await sha256(result.stdout)], [0, sum], result.stderr);
    assertEquals((await within(10_000, "the end of socat", child.status)).code, 0);
  },
});

Deno.test("3 MB to a client that reads late, and clients at the stop, are served as over TCP", async () => {
  using folder = new Folder();
  await using server = await ServerProcess.start([`unix:${folder.socket}`]);
  using conn = await connect(folder.socket);
  const bytes = noise(3_000_000);
  const writing = writeAll(conn, bytes).then(() => conn.closeWrite());
  await server.log.with('"message"');
  const back = await readUpTo(conn, bytes.length + 1);
  await writing;
  assertEquals(await sha256(back), await sha256(bytes));
  using idle = await connect(folder.socket);
  assertEquals(await roundTrip(idle, "hello"), "hello");
  const stopping = server.stop();
  assertEquals((await readUpTo(idle, 1)).length, 0);
  await idle.closeWrite();
  assertEquals(await stopping, 0);
});
