/**
 * What other package managers take a release by, filled in from packaging/: the installer, a Homebrew formula, a
 * Scoop manifest, and the npm packages without their programs.
 */

import { dirname } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { archiveOf, SUMS } from "./names.ts";
import { type Target, TARGETS } from "../runtime/targets.ts";

const TEMPLATES = new URL("../../packaging/", import.meta.url);

/** What Node calls a system and a processor, and so npm. */
interface NodeNames {
  readonly os: "linux" | "darwin" | "win32";
  readonly cpu: "x64" | "arm64";
}

const NODE_NAMES: Readonly<Record<Target, NodeNames>> = {
  "x86_64-unknown-linux-gnu": { os: "linux", cpu: "x64" },
  "aarch64-unknown-linux-gnu": { os: "linux", cpu: "arm64" },
  "x86_64-apple-darwin": { os: "darwin", cpu: "x64" },
  "aarch64-apple-darwin": { os: "darwin", cpu: "arm64" },
  "x86_64-pc-windows-msvc": { os: "win32", cpu: "x64" },
};

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
    ["npm/netecho/README.md", fill("npm/README.md", values)],
    ...TARGETS.map((target): [string, string] => [
      `npm/${npmName(target)}/package.json`,
      npmProgram(version, target, values),
    ]),
  ]);
}

/**
 * Writes them into the folder of a release, by its SHA256SUMS: the installer beside the archives, since it is published
 * with them, and the others into `packages/`.
 */
export function writePackages(dist: string, version: string): void {
  const sums = readSums(Deno.readTextFileSync(`${dist}/${SUMS}`));
  for (const [path, text] of packageFiles(version, sums)) {
    const file = path === "install.sh" ? `${dist}/${path}` : `${dist}/packages/${path}`;
    Deno.mkdirSync(dirname(file), { recursive: true });
    Deno.writeTextFileSync(file, text);
  }
}

/** What stands for each word between two `@` in a template. */
function valuesOf(version: string, sums: ReadonlyMap<string, string>): Map<string, string> {
  const values = new Map([["VERSION", version], ["REPOSITORY", config.repository]]);
  const lines = TARGETS.map((target) => {
    const name = archiveOf(target, version);
    const sum = sums.get(name);
    if (sum === undefined) throw new Error(`no sum of ${name}`);
    values.set(`URL ${target}`, `${config.repository}/releases/download/v${version}/${name}`);
    values.set(`SUM ${target}`, sum);
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

/** The npm package that has the program of a system. */
export const npmName = (target: Target): string =>
  `netecho-${NODE_NAMES[target].os}-${NODE_NAMES[target].cpu}`;

function npmProgram(version: string, target: Target, values: ReadonlyMap<string, string>): string {
  const { os, cpu } = NODE_NAMES[target];
  const own: [string, string][] = [
    ["NAME", npmName(target)],
    ["ARCHIVE", archiveOf(target, version)],
    ["OS", os],
    ["CPU", cpu],
  ];
  const manifest = JSON.parse(fill("npm/program.json", new Map([...values, ...own])));
  // npm leaves it out on musl, where it could not start.
  if (os === "linux") manifest.libc = ["glibc"];
  return JSON.stringify(manifest, null, 2) + "\n";
}
