/** What .ci/denort refuses, with an npm of our own that brings something else. */

import { assertEquals, assertMatch } from "@std/assert";
import { TARGETS } from "../../../tools/runtime/targets.ts";
import { ROOT } from "../../support/helpers.ts";

/** Runs the tool as it is in `root`. */
async function denort(root: string, args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--no-lock", "-A", `${root}/tools/runtime/denort.ts`, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("a target that there is none of is refused with one line that names all", async () => {
  const { code, stderr } = await denort(ROOT, ["riscv64-unknown-linux-gnu"]);
  assertEquals(code, 2);
  assertEquals(stderr, `denort: unknown target riscv64-unknown-linux-gnu; there are ${TARGETS.join(", ")}\n`);
  assertEquals((await denort(ROOT, TARGETS.slice(0, 2))).stderr, "denort: one target at a time\n");
});

Deno.test("a package is refused that is not the pinned one, and nothing of it is kept", async () => {
  const root = await Deno.makeTempDir();
  try {
    await new Deno.Command("cp", { args: ["-r", `${ROOT}tools`, root] }).output();
    const npm = '#!/bin/sh\n[ "$3" = --pack-destination ] && echo something else >"$4/package.tgz"\n';
    await Deno.writeTextFile(`${root}/npm`, npm, { mode: 0o755 });
    const PATH = `${root}:${Deno.env.get("PATH")}`;
    const { code, stdout, stderr } = await denort(root, ["aarch64-apple-darwin"], { PATH });
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^denort: @stdy\/cli-darwin-arm64@\S+ is not the package .* sha512 differs\n$/);
    assertEquals([...Deno.readDirSync(`${root}/.cache`)], []);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
