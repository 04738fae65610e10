/** `npx netecho`, from a registry of the test's own, by the npm that is here. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import process from "node:process";
import { addPrograms } from "../../tools/release/npm.ts";
import { writePackages } from "../../tools/release/managers.ts";
import { archiveOf, folderOf, SUMS } from "../../tools/release/names.ts";
import { TARGETS } from "../../tools/runtime/targets.ts";
import { has, Lines } from "../support/helpers.ts";
import { shell } from "../support/commands.ts";
import { FileServer } from "../support/release.ts";

const VERSION = "9.8.7";
/** The package of this system, by Node's names. */
const OWN = `netecho-${process.platform}-${process.arch}`;

/** Stands for the program: says what it was given, and ends as it is told. */
const PROGRAM = `#!/bin/sh
case $1 in
--version) echo "netecho ${VERSION}" ;;
cat) cat ;;
exit) exit "$2" ;;
kill) kill -KILL $$ ;;
wait)
  trap 'echo "got TERM"; exit 7' TERM
  trap 'echo "got INT"; exit 130' INT
  echo "$$ waits"
  while :; do sleep 0.05; done ;;
*) for word; do echo "<$word>"; done ;;
esac
`;

/** The packages, published to a registry, and a project that takes them from it. */
class Registry implements AsyncDisposable {
  readonly server = new FileServer(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  readonly project: string;
  readonly env: Record<string, string>;

  private constructor(readonly folder: string) {
    this.project = `${folder}/project`;
    this.env = {
      HOME: folder,
      npm_config_registry: `http://127.0.0.1:${this.server.port}/`,
      npm_config_cache: `${folder}/cache`,
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_update_notifier: "false",
    };
  }

  static async create(): Promise<Registry> {
    const registry = new Registry(await Deno.makeTempDir());
    await Deno.mkdir(registry.project);
    await Deno.writeTextFile(`${registry.project}/package.json`, "{}");
    for (const folder of registry.#layOut()) await registry.#publish(folder);
    return registry;
  }

  /** As `deno task release` leaves it. */
  #layOut(): string[] {
    const dist = `${this.folder}/dist`;
    for (const target of TARGETS) {
      const from = `${dist}/${folderOf(target, VERSION)}`;
      Deno.mkdirSync(from, { recursive: true });
      Deno.writeTextFileSync(`${from}/LICENSE`, "MIT");
      Deno.writeTextFileSync(`${from}/THIRD-PARTY-LICENSES.txt`, "others");
      const name = target.includes("windows") ? "netecho.exe" : "netecho";
      Deno.writeTextFileSync(`${from}/${name}`, PROGRAM, { mode: 0o755 });
    }
    const sums = TARGETS.map((target) => `${"0".repeat(64)}  ${archiveOf(target, VERSION)}\n`);
    Deno.writeTextFileSync(`${dist}/${SUMS}`, sums.join(""));
    writePackages(dist, VERSION);
    return addPrograms(dist, VERSION);
  }

  /** Only what this system is to take has a tarball. */
  async #publish(folder: string): Promise<void> {
    const manifest = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
    const filename = `${manifest.name}-${VERSION}.tgz`;
    const dist = { tarball: `${this.env.npm_config_registry}${filename}`, integrity: "" };
    if (["netecho", OWN].includes(manifest.name)) {
      // In a cache of its own: npm would find there what it is to fetch.
      await shell("npm pack --silent", folder, { ...this.env, npm_config_cache: `${this.folder}/packing` });
      const bytes = await Deno.readFile(`${folder}/${filename}`);
      dist.integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
      this.server.files.set(`/${filename}`, bytes);
    }
    const versions = { [VERSION]: { ...manifest, dist } };
    const document = { name: manifest.name, "dist-tags": { latest: VERSION }, versions };
    this.server.files.set(`/${manifest.name}`, new TextEncoder().encode(JSON.stringify(document)));
  }

  command(...args: string[]): Deno.Command {
    const wrapper = `${this.project}/node_modules/.bin/netecho`;
    return new Deno.Command(wrapper, { args, stdin: "null", stdout: "piped", stderr: "piped" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server[Symbol.dispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function ended(command: Deno.Command): Promise<[number, string | null, string, string]> {
  const { code, signal, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return [code, signal, text.decode(stdout), text.decode(stderr)];
}

Deno.test({
  name: "npm: npx runs the program of this system, which passes on words, signals and exit codes",
  ignore: !has("npm", "node") || Deno.build.os === "windows",
  fn: async () => {
    await using registry = await Registry.create();
    assertEquals(
      await shell("npx --yes netecho --version", registry.project, registry.env),
      "netecho 9.8.7\n",
    );
    await shell("npm install --silent netecho", registry.project, registry.env);

    const fetched = registry.server.asked.filter((path) => path.endsWith(".tgz"));
    assertEquals([...new Set(fetched)].sort(), [`/${OWN}-${VERSION}.tgz`, `/netecho-${VERSION}.tgz`].sort());
    const installed = [...Deno.readDirSync(`${registry.project}/node_modules`)].map(({ name }) => name);
    assertEquals(installed.filter((name) => name.startsWith("netecho")).sort(), [
      "netecho",
      OWN,
    ]);
    const files = [...Deno.readDirSync(`${registry.project}/node_modules/${OWN}`)].map(({ name }) => name);
    assertEquals(files.sort(), ["LICENSE", "THIRD-PARTY-LICENSES.txt", "bin", "package.json"]);

    assertEquals(await ended(registry.command("connect", "", "a b")), [
      0,
      null,
      "<connect>\n<>\n<a b>\n",
      "",
    ]);
    assertEquals(await ended(registry.command("exit", "2")), [2, null, "", ""]);
    assertEquals((await ended(registry.command("kill"))).slice(0, 2), [137, "SIGKILL"]);

    for (const [signal, code] of [["SIGTERM", 7], ["SIGINT", 130]] as const) {
      const child = registry.command("wait").spawn();
      const lines = new Lines(child.stdout);
      await lines.with(/ waits$/);
      child.kill(signal);
      await lines.with(new RegExp(`^got ${signal.slice(3)}$`));
      assertEquals((await child.status).code, code);
      await child.stderr.cancel();
    }

    await Deno.remove(`${registry.project}/node_modules/${OWN}`, { recursive: true });
    const [code, , , stderr] = await ended(registry.command("--version"));
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      `netecho: the package ${OWN} is not there; there is one for linux,`,
    );
    assert(!stderr.includes("\n    at "), stderr);
  },
});
