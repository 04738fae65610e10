/** A release made twice, in other folders and by another user's habits, is the same. */

import { assertEquals, assertMatch } from "@std/assert";
import { shell } from "../support/commands.ts";
import { has, ROOT } from "../support/helpers.ts";
import { DIST, SUMS } from "../../tools/release/names.ts";

/** A release of the commit, in a clone of its own: the sums. The runtimes are brought, since they are checked again. */
async function sumsOf(clone: string, env: Record<string, string>): Promise<string> {
  // These sources may belong to another user than the one who runs the tests.
  const config = await Deno.makeTempFile();
  await Deno.writeTextFile(config, "[safe]\n\tdirectory = *\n");
  await shell('git clone --quiet . "$CLONE"', ROOT, { GIT_CONFIG_GLOBAL: config, CLONE: clone });
  await Deno.remove(config);
  await shell('mkdir "$CLONE/.cache" && cp .cache/denort-* "$CLONE/.cache"', ROOT, { CLONE: clone });
  await shell('umask "$UMASK" && npx -y deno@2.9.6 task release', clone, env);
  return await Deno.readTextFile(`${clone}/${DIST.slice(ROOT.length)}/${SUMS}`);
}

const NAME = "two clones in different folders make the same release, and a tree with changes makes none";

Deno.test(NAME, { ignore: !has("git") }, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [here, there] = await Promise.all([
      sumsOf(`${folder}/here`, { TZ: "UTC", UMASK: "022" }),
      sumsOf(`${folder}/far/away`, { TZ: "Asia/Tokyo", UMASK: "077", LANG: "C" }),
    ]);
    assertMatch(here, /^([0-9a-f]{64} {2}\S+\n)+$/);
    assertEquals(here, there);

    await Deno.writeTextFile(`${folder}/here/new.ts`, "");
    const args = ["-u", "SOURCE_DATE_EPOCH", Deno.execPath(), "run", "--allow-all", "tools/release/main.ts"];
    const again = await new Deno.Command("env", { args, cwd: `${folder}/here` }).output();
    assertMatch(
      new TextDecoder().decode(again.stderr),
      /^release: a release is of a commit, .*: \?\? new.ts; .*\n$/,
    );
    assertEquals(again.code, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
