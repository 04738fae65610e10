/** What package managers take the release by, against the release itself. */

import { assertEquals } from "@std/assert";
import process from "node:process";
import { archiveOf, DIST, folderOf, SUMS, VERSION } from "../../tools/release/names.ts";
import { readSums } from "../../tools/release/managers.ts";
import { TARGETS } from "../../tools/runtime/targets.ts";
import { has, ROOT } from "../support/helpers.ts";
import { inFolder, shell } from "../support/commands.ts";

const LINUX = "x86_64-unknown-linux-gnu";

Deno.test({
  name: "install.sh: installs this release, and it starts",
  ignore: !has("curl"),
  fn: () =>
    inFolder(new Map(), async (folder) => {
      await Deno.mkdir(`${folder}/download`);
      await Deno.symlink(DIST, `${folder}/download/v${VERSION}`);
      const env = { NETECHO_RELEASES: `file://${folder}`, NETECHO_INSTALL_DIR: `${folder}/bin` };
      await shell("sh install.sh", DIST, env);
      assertEquals(await shell("bin/netecho --version", folder), `netecho ${VERSION}\n`);
    }),
});

Deno.test({
  name: "Homebrew: all that the formula installs is in the archives of Linux and macOS",
  ignore: !has("ruby"),
  fn: async () => {
    const systems = {
      "linux intel": "x86_64-unknown-linux-gnu",
      "linux arm": "aarch64-unknown-linux-gnu",
      "macos intel": "x86_64-apple-darwin",
      "macos arm": "aarch64-apple-darwin",
    } as const;
    for (const [system, target] of Object.entries(systems)) {
      const read = `ruby ${ROOT}tests/support/formula.rb ${DIST}/packages/homebrew/netecho.rb ${system}`;
      const said = await shell(read, `${DIST}/${folderOf(target)}`);
      const [, url] = /^url .*\/([^/\n]+)$/m.exec(said) ?? [];
      assertEquals(url, archiveOf(target));
    }
  },
});

Deno.test({
  name: "Scoop: the program is where the manifest says",
  ignore: !has("unzip"),
  fn: async () => {
    const manifest = JSON.parse(Deno.readTextFileSync(`${DIST}/packages/scoop/netecho.json`));
    const { url, hash, extract_dir: folder } = manifest.architecture["64bit"];
    const archive = url.replace(/.*\//, "");
    assertEquals(hash, readSums(Deno.readTextFileSync(`${DIST}/${SUMS}`)).get(archive));
    const files = await shell(`unzip -Z1 ${archive}`, DIST);
    assertEquals(files.split("\n").includes(`${folder}/${manifest.bin}`), true, files);
  },
});

Deno.test({
  name: "npm: the package starts the program of the release",
  ignore: !has("node") || process.arch !== "x64",
  fn: () =>
    inFolder(new Map(), async (folder) => {
      await Deno.mkdir(`${folder}/node_modules/netecho-linux-x64`, { recursive: true });
      await shell(`cp -r ${DIST}/packages/npm/netecho node_modules/`, folder);
      await Deno.symlink(`${DIST}/${folderOf(LINUX)}`, `${folder}/node_modules/netecho-linux-x64/bin`);
      assertEquals(
        await shell("node node_modules/netecho/netecho.js --version", folder),
        `netecho ${VERSION}\n`,
      );
      assertEquals(TARGETS.length, [...Deno.readDirSync(`${DIST}/packages/npm`)].length - 1);
    }),
});
