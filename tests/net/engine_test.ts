/** Who may open libc, and what happens to descriptors that are used again. */

import { assertEquals } from "@std/assert";
import { ECHO, ENGINE, ROOT, within } from "../support/helpers.ts";

const OF_SOURCES = Deno.env.get("ECHO_BIN") === undefined && Deno.build.os === "linux";
/** As `deno task start`, but for the program. */
const AS_STARTED = ECHO.slice(1, -1);

async function runDeno(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const options: Deno.CommandOptions = { args: [...args], cwd: ROOT, stdin: "null" };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), options).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test({
  name: "once libc is open, or renounced, neither another library nor libc itself can be opened",
  ignore: !OF_SOURCES,
  async fn() {
    for (const words of [[], ["renounce"]]) {
      const { stdout } = await runDeno([...AS_STARTED, "tests/support/after_libc.ts", ...words]);
      assertEquals(stdout.trimEnd().split("\n"), [
        "before: libc.so.6 opened",
        "before: libm.so.6 NotCapable",
        "before: libc.so.6 NotCapable", // by its bare name
        "after: libc.so.6 NotCapable",
        "after: libm.so.6 NotCapable",
        "after: libc.so.6 NotCapable",
      ]);
    }
  },
});

Deno.test({
  name: "serve renounces libc where the engine is deno, and keeps libc alone where a dead thread may need it",
  ignore: !OF_SOURCES,
  async fn() {
    for (const [engine, libc] of [["deno", "NotCapable"], ["epoll", "opened"]] as const) {
      const { stdout } = await runDeno([...AS_STARTED, "tests/support/serving.ts", engine]);
      assertEquals(stdout.trimEnd().split("\n"), [`libc.so.6 ${libc}`, "libm.so.6 NotCapable"]);
    }
  },
});

Deno.test({
  name: "a thread of the engine epoll may open libc alone, and one of the engine deno beside it nothing",
  ignore: !OF_SOURCES,
  async fn() {
    const { stdout } = await runDeno([...AS_STARTED, "tests/support/thread_rights.ts"]);
    assertEquals(stdout.trimEnd().split("\n"), [
      "epoll: libc.so.6 opened, libm.so.6 NotCapable",
      "deno: libc.so.6 NotCapable, libm.so.6 NotCapable",
      "main: libc.so.6 opened, libm.so.6 NotCapable",
    ]);
  },
});

Deno.test({
  name: "without the permission for libc, --engine epoll is an error of usage that says what is missing",
  ignore: !OF_SOURCES,
  async fn() {
    const words = ["--allow-net", "--allow-read", "--no-prompt", "main.ts", "serve", "--engine", "epoll"];
    const { code, stderr } = await runDeno(["run", "-q", ...words]);
    assertEquals(code, 2);
    assertEquals(
      stderr.replace(/=.*libc\.so\.6,/, "=LIBC,"),
      "echo: --engine epoll cannot be had here: it needs --allow-ffi=LIBC, which is not granted\n",
    );
  },
});

Deno.test({
  name: "a descriptor that is used again is never read by its former owner, 100,000 times",
  ignore: !OF_SOURCES || !ENGINE.includes("epoll"),
  async fn() {
    const args = ["run", "--allow-all", "--no-prompt", "tests/support/fd_reuse.ts", "100000"];
    const { stdout } = await within(120_000, "its end", runDeno(args));
    assertEquals(JSON.parse(stdout), { wrong: 0, cut: 99_968, afterwards: 0 });
  },
});
