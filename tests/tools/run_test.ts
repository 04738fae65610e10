/** How the tools run programs, on Linux and elsewhere. */

import { assert, assertEquals } from "@std/assert";
import { run, runAlone } from "../../tools/run.ts";

for (const [where, go] of [["on Linux", run], ["elsewhere", runAlone]] as const) {
  Deno.test(`run, ${where}: the exit code, and all that was said`, async () => {
    const { code, output } = await go(
      ["sh", "-c", 'echo "$WORD"; echo two >&2; exit 3'],
      { WORD: "one" },
      60,
    );
    assertEquals([code, output], [3, "one\ntwo\n"]);
  });

  Deno.test(`run, ${where}: a program that does not end is ended`, async () => {
    const begin = performance.now();
    const { code } = await go(["sleep", "60"], {}, 0.1);
    assertEquals(code === 0, false);
    assert(performance.now() - begin < 30_000);
  });
}
