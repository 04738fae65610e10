/** The engine is named in every report, and what only the kernel knows stands where people look for it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { epollObstacle } from "../../net/engine.ts";
import { ECHO, holds, ROOT, run, ServerProcess } from "../support/helpers.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const KERNEL =
  /kernel: rtt \d+\.\d{3} ms \(varies by \d+\.\d{3}\), 0 retransmits, mss \d+ bytes, path MTU \d+ bytes\n/;
const ignore = epollObstacle() !== undefined;

Deno.test({
  name: "on epoll, ping, connect -v and bench tell what the kernel says; on deno they do not",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    const where = `:${server.port}`;
    for (const engine of ["epoll", "deno"]) {
      const on = ["--engine", engine, where];
      const [ping, json, connect, bench] = await Promise.all([
        run(["ping", "-c", "2", "-i", "5ms", ...on]),
        run(["ping", "-c", "2", "-i", "5ms", "--json", ...on]),
        run(["connect", "-v", ...on, "hello"]),
        run(["bench", "-n", "100", "--json", ...on]),
      ]);
      const end = JSON.parse(text(json.stdout).trimEnd().split("\n").at(-1)!);
      const result = JSON.parse(text(bench.stdout));
      assertEquals([end.engine, result.engine], [engine, engine]);
      assertMatch(text(ping.stdout), new RegExp(`\\nengine ${engine}[;\\n]`));
      assertStringIncludes(connect.stderr, `, engine ${engine}\n`);
      if (engine === "deno") {
        assertEquals([end.kernel, result.retransmits], [null, null]);
        assert(!connect.stderr.includes("kernel") && !text(ping.stdout).includes("kernel"));
      } else {
        assert(end.kernel.rtt_ms > 0 && end.kernel.rtt_ms < 1000, JSON.stringify(end.kernel));
        assert(end.kernel.mss_bytes >= 536 && end.kernel.path_mtu_bytes > end.kernel.mss_bytes);
        assertEquals([end.kernel.retransmits, result.retransmits], [0, 0]);
        assertMatch(connect.stderr, KERNEL);
        assertMatch(text(ping.stdout), KERNEL);
      }
    }
  },
});

Deno.test({
  name: "text, page and hlog of bench name the engine, and a comparison tells that it differs",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    const folder = await Deno.makeTempDir();
    try {
      const where = `:${server.port}`;
      const old = await run(["bench", "-n", "50", "--engine", "deno", "--json", where]);
      await Deno.writeFile(`${folder}/old.json`, old.stdout);
      const files = ["--hdr", `${folder}/x.hlog`, "--report", `${folder}/x.html`];
      const { stdout } = await run(
        ["bench", "-n", "50", "--engine", "epoll", ...files, "--compare", `${folder}/old.json`, where],
      );
      assertMatch(text(stdout), /new: [^]*, engine\s+epoll\n/);
      assertMatch(text(stdout).replaceAll(/\s+/g, " "), /They differ in engine \(deno, now epoll\)/);
      assertStringIncludes(await Deno.readTextFile(`${folder}/x.hlog`), ", engine epoll]");
      assertMatch(await Deno.readTextFile(`${folder}/x.html`), /engine<\/th><td>deno<\/td><td>epoll<\/td>/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "--interface goes out by that interface, and says so where there is none",
  ignore,
  async fn() {
    await using server = await ServerProcess.start();
    for (const command of [["connect", "x"], ["ping", "-c", "1"], ["bench", "-n", "1"]]) {
      const [name = "", ...words] = command;
      const where = `127.0.0.1:${server.port}`;
      const good = await run([name, "--interface", "lo", where, ...words]);
      assertEquals(good.code, 0, good.stderr);
      const bad = await run([name, "--interface", "nowhere0", where, ...words]);
      assertEquals(bad.code, 1);
      assertStringIncludes(bad.stderr, "no network interface nowhere0");
    }
  },
});

Deno.test({
  name: "without the permission, --engine epoll is refused before anything is opened, and auto is deno",
  ignore: ignore || Deno.env.get("ECHO_BIN") !== undefined,
  async fn() {
    await using server = await ServerProcess.start();
    const denied = async (...words: string[]) => {
      const [program = ""] = ECHO;
      const args = ["run", "-q", "--frozen", "--no-prompt", "--allow-net", "--allow-read", "--allow-write"];
      const command = new Deno.Command(program, { args: [...args, "main.ts", ...words], cwd: ROOT });
      const { code, stdout, stderr } = await command.output();
      return { code, out: text(stdout), err: text(stderr) };
    };
    const where = `:${server.port}`;
    for (
      const command of [["connect", where, "x"], ["ping", "-c", "1", where], ["bench", "-n", "1", where]]
    ) {
      const { code, err } = await denied(...command, "--engine", "epoll");
      assertEquals(code, 2);
      assertMatch(err, /^echo: --engine epoll: it needs --allow-ffi=\S+, which is not granted\n$/);
    }
    const { code, out, err } = await denied("ping", "-c", "1", where);
    assertEquals(code, 0, err);
    assertStringIncludes(out, "engine deno\n");
  },
});

Deno.test({
  name: "epoll: bench --connect-rate by a name waits neither for the resolver's turn nor for a module",
  ignore,
  async fn() {
    await using server = await ServerProcess.start(["-q"]);
    await holds(async () => {
      const words = ["bench", "--connect-rate", "-n", "300", "--json", "--engine", "epoll"];
      const { stdout, stderr } = await run([...words, `localhost:${server.port}`]);
      const { messages_per_second, errors } = JSON.parse(text(stdout));
      assertEquals(errors, {}, stderr);
      assert(messages_per_second > 200, `${messages_per_second} connections/s`); // with a turn for each it was 20
    });
  },
});
