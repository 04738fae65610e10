/**
 * What other package managers take a release by, filled in from packaging/: the installer, a Homebrew formula, a
 * Scoop manifest, and the npm packages without their programs.
 */

import config from "../deno.json" with { type: "json" };

const TEMPLATES = new URL("../packaging/", import.meta.url);

/** A system that a release has a file for: Rust's name of it, and Node's. */
interface System {
  readonly target: string;
  readonly os: "linux" | "darwin" | "win32";
  readonly cpu: "x64" | "arm64";
}

const SYSTEMS: readonly System[] = [
  { target: "x86_64-unknown-linux-gnu", os: "linux", cpu: "x64" },
  { target: "aarch64-unknown-linux-gnu", os: "linux", cpu: "arm64" },
  { target: "x86_64-apple-darwin", os: "darwin", cpu: "x64" },
  { target: "aarch64-apple-darwin", os: "darwin", cpu: "arm64" },
  { target: "x86_64-pc-windows-msvc", os: "win32", cpu: "x64" },
];

/** Its file on the release page, without the ending: the one folder in it is called so too. */
const folder = (version: string, { target }: System) => `netecho-${version}-${target}`;
const archive = (version: string, system: System) =>
  folder(version, system) + (system.os === "win32" ? ".zip" : ".tar.gz");

/** The sums by file, in hex, from SHA256SUMS as sha256sum(1) writes it. Throws on a line that is none. */
export function readSums(text: string): Map<string, string> {
  return new Map(
    text.split("\n").filter((line) => line !== "").map((line) => {
      const [, sum, name] = /^([0-9a-f]{64}) [ *](\S+)$/.exec(line) ?? [];
      if (sum === undefined || name === undefined) throw new Error(`SHA256SUMS: no sum and name: ${line}`);
      return [name, sum];
    }),
  );
}

/**
 * The files by their path: `install.sh`, `homebrew/netecho.rb`, `scoop/netecho.json`, and a folder for each package
 * in `npm/`. `sums` are SHA-256 in hex, by archive. Throws if an archive of the five systems has none.
 */
export function packageFiles(version: string, sums: ReadonlyMap<string, string>): Map<string, string> {
  const values = valuesOf(version, sums);
  return new Map([
    ["install.sh", fill("install.sh", values)],
    ["homebrew/netecho.rb", fill("netecho.rb", values)],
    ["scoop/netecho.json", fill("scoop.json", values)],
    ["npm/netecho/package.json", fill("npm/wrapper.json", values)],
    ["npm/netecho/netecho.js", fill("npm/netecho.js", values)],
    ...SYSTEMS.map((system): [string, string] => [
      `npm/netecho-${system.os}-${system.cpu}/package.json`,
      npmProgram(system, archive(version, system), values),
    ]),
  ]);
}

/** What stands for each word between two `@` in a template. */
function valuesOf(version: string, sums: ReadonlyMap<string, string>): Map<string, string> {
  const values = new Map([["VERSION", version], ["REPOSITORY", config.repository]]);
  const lines = SYSTEMS.map((system) => {
    const name = archive(version, system);
    const sum = sums.get(name);
    if (sum === undefined) throw new Error(`no sum of ${name}`);
    values.set(`URL ${system.target}`, `${config.repository}/releases/download/v${version}/${name}`);
    values.set(`SUM ${system.target}`, sum);
    return `${sum}  ${name}`;
  });
  return values.set("SUMS", lines.join("\n"));
}

/** Throws on a word that has no value. */
function fill(template: string, values: ReadonlyMap<string, string>): string {
  const text = Deno.readTextFileSync(new URL(template, TEMPLATES));
  return text.replace(/@([A-Z]+(?: [\w-]+)?)@/g, (word, name) => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`packaging/${template}: nothing stands for ${word}`);
    return value;
  });
}

function npmProgram(system: System, from: string, values: ReadonlyMap<string, string>): string {
  const own: [string, string][] = [
    ["SYSTEM", `${system.os}-${system.cpu}`],
    ["ARCHIVE", from],
    ["OS", system.os],
    ["CPU", system.cpu],
  ];
  const manifest = JSON.parse(fill("npm/program.json", new Map([...values, ...own])));
  // npm leaves it out on musl, where it could not start.
  if (system.os === "linux") manifest.libc = ["glibc"];
  return JSON.stringify(manifest, null, 2) + "\n";
}
