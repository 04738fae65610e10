/** What `deno task release` made: the archives, with the tools of those who unpack them. */

import { assertEquals, assertMatch } from "@std/assert";
import { succeeds } from "../support/commands.ts";
import { has } from "../support/helpers.ts";
import { archiveOf, DIST, folderOf, NAME, programOf, SUMS, VERSION } from "../../tools/release/names.ts";
import { type Target, TARGETS } from "../../tools/runtime/targets.ts";

/** What the program prints itself, and the words that make it. */
const PRINTED = {
  [`${NAME}.1`]: ["man"],
  [`completions/${NAME}.bash`]: ["completions", "bash"],
  [`completions/_${NAME}`]: ["completions", "zsh"],
  [`completions/${NAME}.fish`]: ["completions", "fish"],
};

/** What is in the folder for a target besides the program. */
function papersOf(target: Target): string[] {
  const papers = ["LICENSE", "THIRD-PARTY-LICENSES.txt", ...Object.keys(PRINTED)];
  if (target.includes("linux")) papers.push(`systemd/${NAME}.service`);
  return papers.map((path) => `${folderOf(target)}/${path}`);
}

/** Mode and path of each file. */
async function listed(target: Target): Promise<string[]> {
  const archive = `${DIST}/${archiveOf(target)}`;
  const list = archive.endsWith(".zip") ? ["unzip", "-Z", archive] : ["tar", "-tvzf", archive];
  const lines = (await succeeds(list)).split("\n").filter((line) => line.startsWith("-"));
  return lines.map((line) => `${line.slice(0, 10)} ${line.split(" ").at(-1)}`).sort();
}

Deno.test("SHA256SUMS has the right sum of every file that is published", async () => {
  const names = [...Deno.readDirSync(DIST)].filter(({ isFile }) => isFile).map(({ name }) => name);
  const checked = await succeeds(["sh", "-c", `cd "$0" && sha256sum --check --strict ${SUMS}`, DIST]);
  const fine = names.filter((name) => name !== SUMS).map((name) => `${name}: OK`);
  assertEquals(checked.trim().split("\n").sort(), fine.sort());
});

for (const target of TARGETS) {
  const tool = target.includes("windows") ? "unzip" : "tar";
  Deno.test(
    `${target}: the archive has all that a packager needs, in one folder`,
    { ignore: !has(tool) },
    async () => {
      assertEquals(
        await listed(target),
        [
          ...papersOf(target).map((path) => `-rw-r--r-- ${path}`),
          `-rwxr-xr-x ${programOf(target)}`,
        ].sort(),
      );
    },
  );
}

Deno.test(
  "the archives tell nothing of who made them, and have one time",
  { ignore: !has("tar", "unzip") },
  async () => {
    const archive = `${DIST}/${archiveOf("x86_64-unknown-linux-gnu")}`;
    const lines = (await succeeds(["tar", "--utc", "--full-time", "-tvzf", archive])).trimEnd().split("\n");
    const [time = ""] = /\d{4}-\S+ \S+/.exec(lines[0] ?? "") ?? [];
    for (const line of lines) assertMatch(line, new RegExp(`^\\S+ root/root +\\d+ ${time} `));

    const zip = `${DIST}/${archiveOf("x86_64-pc-windows-msvc")}`;
    const rows = (await succeeds(["unzip", "-Z", "-T", zip])).split("\n").filter((line) =>
      line.startsWith("-")
    );
    // A zip counts time in steps of two seconds.
    const even = new Date(Math.floor(Date.parse(`${time}Z`) / 2000) * 2000);
    const stamp = even.toISOString().replace(/\.\d+Z$/, "").replace(/[-:]/g, "").replace("T", ".");
    for (const row of rows) assertMatch(row, new RegExp(` ${stamp} `));
  },
);

Deno.test("the program that was unpacked starts without an environment, and its papers are of its own name", async () => {
  const folder = await Deno.makeTempDir();
  const target = "x86_64-unknown-linux-gnu";
  try {
    await succeeds(["tar", "-xzf", `${DIST}/${archiveOf(target)}`, "-C", folder]);
    const bare = ["env", "-i", `${folder}/${programOf(target)}`];
    assertEquals(await succeeds([...bare, "--version"]), `${NAME} ${VERSION}\n`);
    for (const [path, words] of Object.entries(PRINTED)) {
      const paper = await Deno.readTextFile(`${folder}/${folderOf(target)}/${path}`);
      assertEquals(await succeeds([...bare, ...words]), paper);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
