/** install.sh as a release has it, run by sh in a home of its own against a server of the test's own. */

import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { makePair } from "../../net/tls/certificate.ts";
import { has, ROOT } from "../support/helpers.ts";
import { FileServer, makeRelease } from "../support/release.ts";

const TARGET = "x86_64-unknown-linux-gnu";
const PATH = Deno.env.get("PATH") ?? "";
const RELEASE = await makeRelease("9.8.7");
const NEXT = await makeRelease("9.9.0-rc.1");
const archive = (target: string, version = "9.8.7") => `netecho-${version}-${target}.tar.gz`;
const page = (target: string, version = "9.8.7") =>
  `/releases/download/v${version}/${archive(target, version)}`;

interface Installed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A home, a folder of commands that stand before those of the system, and a server that has the release. */
class Machine implements AsyncDisposable {
  readonly home = Deno.makeTempDirSync();
  readonly program = `${this.home}/.local/bin/netecho`;
  readonly server: FileServer;
  readonly #bin = Deno.makeTempDirSync();
  #path = `${this.#bin}:${PATH}`;

  constructor(listener?: Deno.TlsListener) {
    this.server = new FileServer(listener ?? Deno.listen({ hostname: "127.0.0.1", port: 0 }));
    this.server.add("9.8.7", RELEASE);
    // The tests are of this script, whatever the machine is that they run on.
    this.command("uname", "case $1 in -s) echo Linux ;; *) echo x86_64 ;; esac");
    this.command("ldd", "echo 'ldd (GNU libc) 2.36'");
    this.command("getconf", "echo 64");
  }

  command(name: string, script: string): void {
    Deno.writeTextFileSync(`${this.#bin}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** Leaves only these commands of the system, so that the others are not there. */
  only(...names: string[]): void {
    for (const name of names) {
      const folder = PATH.split(":").find((folder) => {
        try {
          return Deno.statSync(`${folder}/${name}`).isFile;
        } catch {
          return false;
        }
      });
      Deno.symlinkSync(`${folder}/${name}`, `${this.#bin}/${name}`);
    }
    this.#path = this.#bin;
  }

  async install(words: string[] = [], env: Record<string, string> = {}): Promise<Installed> {
    const script = `${this.home}/install.sh`;
    await Deno.writeFile(script, RELEASE.get("install.sh") ?? new Uint8Array());
    const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: [script, ...words],
      cwd: this.home,
      clearEnv: true,
      env: {
        HOME: this.home,
        PATH: this.#path,
        TMPDIR: this.home,
        NETECHO_RELEASES: `http://127.0.0.1:${this.server.port}/releases`,
        ...env,
      },
      stdin: "null",
    }).output();
    await Deno.remove(script);
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  /** What is in the home, by path: nothing else may be left, and nothing else may be made. */
  files(folder = this.home): string[] {
    return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory ? this.files(`${folder}/${name}`) : [`${folder}/${name}`.slice(this.home.length + 1)]
    ).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server[Symbol.dispose]();
    await Deno.remove(this.home, { recursive: true });
    await Deno.remove(this.#bin, { recursive: true });
  }
}

/** It failed with these words, and neither changed anything nor left anything behind. */
function assertRefused(machine: Machine, result: Installed, words: string, code = 1): void {
  assertStringIncludes(result.stderr, words);
  assertEquals([result.code, result.stdout, machine.files()], [code, "", []]);
}

for (const client of ["curl", "wget"]) {
  Deno.test({
    name: `install.sh: the file of this system, checked and in its place, by ${client}`,
    ignore: !has(client),
    fn: async () => {
      await using machine = new Machine();
      machine.only(
        client,
        "sha256sum",
        "tar",
        "gzip",
        "mktemp",
        "mkdir",
        "mv",
        "rm",
        "chmod",
        "head",
        "cat",
      );
      const { code, stderr } = await machine.install();
      assertEquals(stderr.trimEnd().split("\n"), [
        `install: netecho 9.8.7 for ${TARGET}`,
        `install: installed ${machine.program}: netecho 9.8.7 ${TARGET}`,
        `install: ${machine.home}/.local/bin is not on your PATH. For this shell, and in its start-up file for the next ones:`,
        `install:   export PATH="${machine.home}/.local/bin:$PATH"`,
      ]);
      assertEquals(code, 0);
      assertEquals(machine.files(), [".local/bin/netecho"]);
      assertEquals((await Deno.stat(machine.program)).mode! & 0o777, 0o755);
      assertEquals(machine.server.asked, [page(TARGET)]);
    },
  });
}

Deno.test("install.sh: no hint where the folder is on the PATH, and another folder where one is named", async () => {
  await using machine = new Machine();
  const folder = `${machine.home}/a folder`;
  const env = { NETECHO_INSTALL_DIR: folder, PATH: `${folder}:${PATH}` };
  const { code, stderr } = await machine.install(["v9.8.7"], env);
  assertEquals([code, machine.files()], [0, ["a folder/netecho"]]);
  assert(!stderr.includes("PATH"), stderr);
});

Deno.test("install.sh: a folder that is named from where one is gets the whole path that a PATH takes", async () => {
  await using machine = new Machine();
  const { code, stderr } = await machine.install([], { NETECHO_INSTALL_DIR: "-my bin" });
  assertEquals([code, machine.files()], [0, ["-my bin/netecho"]]);
  assertStringIncludes(stderr, `export PATH="${machine.home}/-my bin:$PATH"`);
});

Deno.test("install.sh: a folder is not taken for an older program", async () => {
  await using machine = new Machine();
  await Deno.mkdir(machine.program, { recursive: true });
  assertRefused(machine, await machine.install(), `${machine.program} is a folder; choose another place`);
});

Deno.test("install.sh: what is there stays until the new file is checked, and is then replaced in one step", async () => {
  await using machine = new Machine();
  await Deno.mkdir(`${machine.home}/.local/bin`, { recursive: true });
  await Deno.writeTextFile(machine.program, "#!/bin/sh\necho old\n", { mode: 0o755 });
  const before = await Deno.stat(machine.program);
  machine.server.files.set(page(TARGET), new Uint8Array(1000));
  assertEquals((await machine.install()).code, 1);
  assertEquals((await Deno.stat(machine.program)).ino, before.ino);
  machine.server.add("9.8.7", RELEASE);
  assertEquals((await machine.install()).code, 0);
  // Another file under the same name: one that runs keeps what it runs from.
  assertNotEquals((await Deno.stat(machine.program)).ino, before.ino);
  assertStringIncludes(await Deno.readTextFile(machine.program), "netecho 9.8.7");
});

Deno.test("install.sh: a corrupted file is not installed", async () => {
  await using machine = new Machine();
  const bytes = RELEASE.get(archive(TARGET))!.slice();
  bytes[bytes.length >> 1]! ^= 1;
  machine.server.files.set(page(TARGET), bytes);
  const result = await machine.install();
  assertRefused(machine, result, `${archive(TARGET)} is damaged or forged: its SHA-256 is `);
  assertMatch(result.stderr, /its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}; nothing was installed/);
});

Deno.test("install.sh: a missing file is not installed", async () => {
  await using machine = new Machine();
  machine.server.files.delete(page(TARGET));
  assertRefused(
    machine,
    await machine.install(),
    `could not download http://127.0.0.1:${machine.server.port}`,
  );
});

for (const client of ["curl", "wget"]) {
  Deno.test({
    name: `install.sh: a file that is cut off is not installed, by ${client}`,
    ignore: !has(client),
    fn: async () => {
      await using machine = new Machine();
      if (client === "wget") machine.command("wget", 'exec /usr/bin/wget --tries=1 "$@"');
      machine.only(...(client === "curl" ? ["curl"] : []), "sha256sum", "mktemp", "rm");
      const bytes = RELEASE.get(archive(TARGET))!;
      machine.server.files.set(page(TARGET), bytes.subarray(0, bytes.length >> 1));
      machine.server.claimed.set(page(TARGET), bytes.length);
      assertRefused(machine, await machine.install(), "could not download");
      machine.server.claimed.clear(); // and now the server says that half of it is all
      assertRefused(machine, await machine.install(), "is damaged or forged");
    },
  });
}

Deno.test("install.sh: a script that is cut off does nothing", async () => {
  await using machine = new Machine();
  const whole = RELEASE.get("install.sh")!;
  for (const part of [0.3, 0.6, 0.9, 0.99]) {
    RELEASE.set("install.sh", whole.subarray(0, Math.floor(whole.length * part)));
    await machine.install();
    assertEquals([machine.files(), machine.server.asked], [[], []]);
  }
  RELEASE.set("install.sh", whole);
});

Deno.test("install.sh: systems and processors that there is no file for are refused", async () => {
  const uname = (system: string, processor: string) =>
    `case $1 in -s) echo ${system} ;; *) echo ${processor} ;; esac`;
  const refusals = [
    [uname("FreeBSD", "amd64"), "there is no netecho for FreeBSD; there is one for Linux, macOS and Windows"],
    [
      uname("Linux", "riscv64"),
      "there is no netecho for the processor riscv64; there is one for x86-64 and arm64",
    ],
    [uname("Linux", "armv7l"), "there is no netecho for the processor armv7l"],
    [
      uname("MINGW64_NT-10.0", "x86_64"),
      "this script is for Linux and macOS; for Windows there are the .zip on",
    ],
  ] as const;
  for (const [script, words] of refusals) {
    await using machine = new Machine();
    machine.command("uname", script);
    assertRefused(machine, await machine.install(), words);
    assertEquals(machine.server.asked, []);
  }
});

Deno.test("install.sh: musl, and a 32-bit system on a 64-bit kernel, are refused", async () => {
  await using alpine = new Machine();
  alpine.command("ldd", "echo 'musl libc (x86_64)' >&2; exit 1");
  assertRefused(alpine, await alpine.install(), "this Linux has musl, as Alpine does; netecho needs glibc");
  await using raspberry = new Machine();
  raspberry.command("getconf", "echo 32");
  assertRefused(raspberry, await raspberry.install(), "this is a 32-bit system; netecho needs a 64-bit one");
  assertEquals([...alpine.server.asked, ...raspberry.server.asked], []);
});

Deno.test("install.sh: each system that there is a file for gets its own", async () => {
  const systems = [
    ["Linux", "x86_64", "x86_64-unknown-linux-gnu"],
    ["Linux", "aarch64", "aarch64-unknown-linux-gnu"],
    ["Darwin", "x86_64", "x86_64-apple-darwin"],
    ["Darwin", "arm64", "aarch64-apple-darwin"],
  ] as const;
  for (const [system, processor, target] of systems) {
    await using machine = new Machine();
    machine.command("uname", `case $1 in -s) echo ${system} ;; *) echo ${processor} ;; esac`);
    machine.command("sysctl", "exit 1");
    assertStringIncludes((await machine.install()).stderr, `: netecho 9.8.7 ${target}\n`);
  }
  await using rosetta = new Machine();
  rosetta.command("uname", "case $1 in -s) echo Darwin ;; *) echo x86_64 ;; esac");
  rosetta.command("sysctl", '[ "$*" = "-n sysctl.proc_translated" ] && echo 1');
  assertStringIncludes((await rosetta.install()).stderr, ": netecho 9.8.7 aarch64-apple-darwin\n");
});

Deno.test("install.sh: a program that does not start here is not installed", async () => {
  await using machine = new Machine();
  const old = await makeRelease("9.8.7", "#!/bin/sh\necho \"version 'GLIBC_2.27' not found\" >&2\nexit 1\n");
  machine.server.add("9.8.7", old);
  const own = RELEASE.get("install.sh")!;
  RELEASE.set("install.sh", old.get("install.sh")!);
  assertRefused(
    machine,
    await machine.install(),
    "netecho does not start here (version 'GLIBC_2.27' not found)",
  );
  RELEASE.set("install.sh", own);
});

Deno.test({
  name: "install.sh: a folder that nothing can be written to is named, with the way out",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using machine = new Machine();
    for (const folder of ["/dev/full", "/proc/netecho"]) {
      const said = await machine.install([], { NETECHO_INSTALL_DIR: folder });
      assertRefused(machine, said, `could not make ${folder}; choose another with NETECHO_INSTALL_DIR`);
    }
  },
});

Deno.test("install.sh: bad words are refused before anything is opened", async () => {
  await using machine = new Machine();
  for (const word of ["../../x", "--prefix", "9.8.7/..", "9 8", "next", ""]) {
    const said = await machine.install([word], word === "" ? { NETECHO_VERSION: "!" } : {});
    assertRefused(machine, said, "is no version; one is like 9.8.7, or latest", 2);
  }
  assertRefused(machine, await machine.install(["9.8.7", "9.8.8"]), "one version at most", 2);
  assertRefused(machine, await machine.install([], { HOME: "" }), "HOME is not set; name a folder");
  assertEquals(machine.server.asked, []);
  const { code, stdout } = await machine.install(["--help"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "Installs netecho 9.8.7, or another VERSION");
});

Deno.test("install.sh: sums of another version are not taken from a server that anybody could be", async () => {
  await using machine = new Machine();
  machine.server.add("9.9.0-rc.1", NEXT);
  for (const words of [["9.9.0-rc.1"], ["latest"]]) {
    const said = await machine.install(words);
    assertRefused(
      machine,
      said,
      `only the sums of 9.8.7 are in this script; those of ${words[0]} are taken by https`,
    );
  }
  machine.only("rm", "mktemp", "sha256sum");
  machine.command("wget", "exit 1");
  const said = await machine.install(["9.9.0-rc.1"], { NETECHO_RELEASES: "https://127.0.0.1:1/releases" });
  assertRefused(machine, said, "those of 9.9.0-rc.1 need curl");
  assertEquals(machine.server.asked, []);
});

Deno.test({
  name: "install.sh: another version, and the newest, with their sums by https",
  ignore: !has("curl"),
  fn: async () => {
    const { cert, key } = await makePair();
    await using machine = new Machine(Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }));
    machine.server.add("9.9.0-rc.1", NEXT);
    machine.server.files.set("/releases/latest/download/SHA256SUMS", NEXT.get("SHA256SUMS")!);
    const authority = await Deno.makeTempFile();
    await Deno.writeTextFile(authority, cert);
    const env = { NETECHO_RELEASES: `https://127.0.0.1:${machine.server.port}/releases` };
    assertRefused(machine, await machine.install(["latest"], env), "could not download https://");
    for (const words of [["9.9.0-rc.1"], ["latest"]]) {
      const { code, stderr } = await machine.install(words, { ...env, CURL_CA_BUNDLE: authority });
      assertStringIncludes(stderr, "install: the sums are from SHA256SUMS of that release");
      assertStringIncludes(stderr, `: netecho 9.9.0-rc.1 ${TARGET}\n`);
      assertEquals([code, machine.files()], [0, [".local/bin/netecho"]]);
      await Deno.remove(`${machine.home}/.local`, { recursive: true });
    }
    const corrupted = NEXT.get(archive(TARGET, "9.9.0-rc.1"))!.slice(1);
    machine.server.files.set(page(TARGET, "9.9.0-rc.1"), corrupted);
    const said = await machine.install(["latest"], { ...env, CURL_CA_BUNDLE: authority });
    assertRefused(machine, said, "is damaged or forged");
    await Deno.remove(authority);
  },
});

Deno.test("install.sh: the one in the repository says that it is a template", async () => {
  const { code, stderr } = await new Deno.Command("sh", { args: [`${ROOT}packaging/install.sh`] }).output();
  assertEquals(code, 1);
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    "this is a template; each release has its install.sh: @REPOSITORY@/releases/latest/download/install.sh",
  );
});
