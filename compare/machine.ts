/** What it runs on: processors, programs and their versions. */

import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };
import { Program } from "./program.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const VERSION_SECONDS = 10;

/** Where the server and the load are pinned. */
export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** Deno puts a folder of this name on the PATH where there is no Node, with a `node` that is Deno. */
const STAND_IN = "/node_compat_bin";

/** Whether a program is on the PATH. */
export function installed(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return !folder.endsWith(STAND_IN) && Deno.statSync(`${folder}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

/** The first and the last processor that we may use; undefined without taskset(1) or with one processor. */
export function cores(): Cores | undefined {
  if (!installed("taskset")) return undefined;
  const allowed = field("/proc/self/status", "Cpus_allowed_list") ?? "";
  const numbers = allowed.split(/[,-]/).map(Number);
  const [server, load] = [numbers[0], numbers.at(-1)];
  return server === undefined || load === undefined || server === load ? undefined : { server, load };
}

/** The machine in one line. */
export function machine(): string {
  const memory = (Deno.systemMemoryInfo().total / 2 ** 30).toFixed(1);
  const cpu = field("/proc/cpuinfo", "model name") ?? Deno.build.arch;
  return `${cpu}, ${navigator.hardwareConcurrency} processors, ${memory} GiB, Linux ${Deno.osRelease()}`;
}

/** The version of echo, with its commit where git tells, and of everything that is installed. */
export async function versions(stop: AbortSignal): Promise<string[]> {
  const ask: readonly [name: string, words: readonly string[]][] = [
    ["gcc", ["gcc", "-dumpfullversion"]],
    ["Go", ["go", "version"]],
    ["Node", ["node", "--version"]],
    ["socat", ["socat", "-V"]],
    ["Ncat", ["ncat", "--version"]],
    ["OpenSSL", ["openssl", "version"]],
  ];
  // Some say it on stderr. One that fails is none to be named: the report does without.
  const say = async (words: readonly string[]) => {
    await using program = new Program(words, { seconds: VERSION_SECONDS, cwd: ROOT, stop });
    const code = await program.ended;
    await Promise.all([program.stdout.ended, program.stderr.ended]);
    return code === 0 ? program.stdout.text + program.stderr.text : "";
  };
  const found = await Promise.all(ask.map(async ([name, words]) => {
    const version = installed(words[0]!) ? /\d+(\.\d+)+/.exec(await say(words))?.[0] : undefined;
    return version === undefined ? [] : [`${name} ${version}`];
  }));
  const commit = installed("git")
    ? (await say(["git", "describe", "--always", "--dirty", "--exclude", "*"])).trim()
    : "";
  const ours = `echo ${config.version}${commit === "" ? "" : ` (${commit})`}`;
  return [ours, `Deno ${Deno.version.deno}`, ...found.flat()];
}

function field(path: string, name: string): string | undefined {
  try {
    return new RegExp(`^${name}\\s*:\\s*(.+)$`, "m").exec(Deno.readTextFileSync(path))?.[1];
  } catch {
    return undefined;
  }
}
