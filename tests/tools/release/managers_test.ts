/** What the package managers take a release by, read by their own tools where these are here. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import config from "../../../deno.json" with { type: "json" };
import { packageFiles, readSums } from "../../../tools/release/managers.ts";
import { has, ROOT } from "../../support/helpers.ts";
import { inFolder, shell } from "../../support/commands.ts";

const VERSION = "9.8.7";
const DOWNLOADS = `${config.repository}/releases/download/v${VERSION}`;
const WINDOWS = `netecho-${VERSION}-x86_64-pc-windows-msvc.zip`;
const MAC_ARM = `netecho-${VERSION}-aarch64-apple-darwin.tar.gz`;
const SUMS = new Map([
  [`netecho-${VERSION}-x86_64-unknown-linux-gnu.tar.gz`, "a".repeat(64)],
  [`netecho-${VERSION}-aarch64-unknown-linux-gnu.tar.gz`, "b".repeat(64)],
  [`netecho-${VERSION}-x86_64-apple-darwin.tar.gz`, "c".repeat(64)],
  [MAC_ARM, "d".repeat(64)],
  [WINDOWS, "e".repeat(64)],
]);
const SYSTEMS = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64"];
const FILES = packageFiles(VERSION, SUMS);
const file = (path: string) => FILES.get(path) ?? "";
const json = (path: string) => JSON.parse(file(path));

Deno.test("packages: SHA256SUMS is read as sha256sum writes it, and a line that is none is an error", async () => {
  await inFolder(new Map([["a.tar.gz", "one"], ["b.zip", "two"]]), async (folder) => {
    const text = await shell("sha256sum *", folder);
    assertEquals([...readSums(text).keys()], ["a.tar.gz", "b.zip"]);
    assert(text.startsWith(readSums(text).get("a.tar.gz") ?? "none"));
    assertThrows(() => readSums(text.replace("  b", " ")), Error, "SHA256SUMS: no sum and name");
    assertThrows(() => readSums("d41d8cd98f00b204e9800998ecf8427e  a.tar.gz\n"), Error, "no sum and name");
  });
});

Deno.test("packages: without the sum of one system nothing is made", () => {
  for (const name of SUMS.keys()) {
    const others = new Map([...SUMS].filter(([other]) => other !== name));
    assertThrows(() => packageFiles(VERSION, others), Error, `no sum of ${name}`);
  }
});

Deno.test("packages: every word of a template has its value", () => {
  assertEquals([...FILES].filter(([, text]) => /@[A-Z]+(?: [\w-]+)?@/.test(text)).map(([path]) => path), []);
});

Deno.test({
  name: "install.sh: shellcheck finds nothing, in the template and in what is made of it",
  ignore: !has("shellcheck"),
  fn: async () => {
    await inFolder(FILES, async (folder) => {
      await shell("shellcheck install.sh && shellcheck --shell=dash install.sh", folder);
      await shell("shellcheck packaging/install.sh", ROOT);
    });
  },
});

Deno.test({
  name: "Homebrew: each system gets its file and its sum, and all that is packed is installed",
  ignore: !has("ruby"),
  fn: async () => {
    const packed = new Map(
      ["netecho", "netecho.1", "completions/netecho.bash", "completions/_netecho", "completions/netecho.fish"]
        .map((path) => [path, ""]),
    );
    await inFolder(new Map([...FILES, ...packed]), async (folder) => {
      const read = (system: string) =>
        shell(`ruby ${ROOT}tests/support/formula.rb homebrew/netecho.rb ${system}`, folder);
      assertEquals(await shell("ruby -wc homebrew/netecho.rb", folder), "Syntax OK\n");
      const systems = {
        "linux intel": "x86_64-unknown-linux-gnu",
        "linux arm": "aarch64-unknown-linux-gnu",
        "macos intel": "x86_64-apple-darwin",
        "macos arm": "aarch64-apple-darwin",
      };
      for (const [system, target] of Object.entries(systems)) {
        const name = `netecho-${VERSION}-${target}.tar.gz`;
        assertEquals((await read(system)).trimEnd().split("\n").slice(1), [
          `homepage ${config.repository}`,
          `version ${VERSION}`,
          "license MIT",
          `url ${DOWNLOADS}/${name}`,
          `sha256 ${SUMS.get(name)}`,
          "bin netecho netecho",
          "man1 netecho.1 netecho.1",
          "bash_completion completions/netecho.bash netecho",
          "zsh_completion completions/_netecho _netecho",
          "fish_completion completions/netecho.fish netecho.fish",
        ]);
      }
      await Deno.remove(`${folder}/netecho.1`);
      await assertRejects(() => read("linux arm"), Error, "netecho.1 is not there");
    });
  },
});

Deno.test("Scoop: the manifest has the fields of Scoop's schema, and those of this release", () => {
  const manifest = json("scoop/netecho.json");
  const { url, hash, extract_dir, ...rest } = manifest.architecture["64bit"];
  assertEquals({ url, hash, extract_dir, rest }, {
    url: `${DOWNLOADS}/${WINDOWS}`,
    hash: "e".repeat(64),
    extract_dir: WINDOWS.replace(".zip", ""),
    rest: {},
  });
  assertEquals(manifest.bin, "netecho.exe");
  assertEquals(manifest.version, VERSION);
  // What `scoop checkup` and its bots make the next manifest of must come to this one.
  const next = JSON.parse(JSON.stringify(manifest.autoupdate).replaceAll("$version", VERSION));
  assertEquals(next, {
    architecture: { "64bit": { url, extract_dir } },
    hash: { url: "$baseurl/SHA256SUMS" },
  });
  assertEquals(Object.keys(manifest), [
    "version",
    "description",
    "homepage",
    "license",
    "architecture",
    "bin",
    "checkver",
    "autoupdate",
  ]);
});

Deno.test("npm: a package for each system, which npm installs there alone", () => {
  const wrapper = json("npm/netecho/package.json");
  assertEquals(
    wrapper.optionalDependencies,
    Object.fromEntries(SYSTEMS.map((system) => [`netecho-${system}`, VERSION]).sort()),
  );
  for (const system of SYSTEMS) {
    const { name, version, os, cpu, libc, description } = json(`npm/netecho-${system}/package.json`);
    assertEquals([name, version, `${os}-${cpu}`], [`netecho-${system}`, VERSION, system]);
    assertEquals(libc, os[0] === "linux" ? ["glibc"] : undefined);
    assert([...SUMS.keys()].some((archive) => description.endsWith(` ${archive}`)), description);
  }
  assert(json("npm/netecho-darwin-arm64/package.json").description.endsWith(MAC_ARM));
});
