/**
 * What CI runs, on a machine with npm and Debian's packages: all checks and the tests of the sources on this Deno,
 * then the same tests on the oldest supported one, against the released program, and those of what else would be
 * published. What concerns sockets is tested on both engines each time. The last line counts all runs.
 */

import { COMPILED_WITH } from "./runtime/denort.ts";
import { DIST, programOf, ROOT } from "./release/names.ts";
import { run } from "./run.ts";

/** Real peers and terminals for the tests. Without one of them, the tests that need it are skipped. */
const PACKAGES = [
  "git",
  "tmux",
  "socat",
  "ncat",
  "strace",
  "faketime",
  "haproxy",
  "openssl",
  "gcc",
  "libc6-dev",
  "libssl-dev",
  "util-linux",
  "procps",
  "iproute2",
  "perl",
  "chromium",
  "shellcheck",
  "ruby",
  "curl",
  "wget",
  "buildah",
  "systemd-container",
  "zsh",
  "fish",
  "man-db",
  "groff",
  "mandoc",
  "unzip",
  "qemu-user-static",
  "libc6-arm64-cross",
  "libgcc-s1-arm64-cross",
];

const ENVIRONMENT = {
  NO_COLOR: "1",
  DEBIAN_FRONTEND: "noninteractive",
  // 2.7 does not look at the system's certificates unless told.
  DENO_TLS_CA_STORE: "system,mozilla",
};
/**
 * All tests, and those of sockets once more on the other engine: the default of a server is deno, and that of a client
 * epoll.
 */
const TESTS = ["test", "test:epoll", "test:deno"];
const TESTS_S = 1800;
const APT_S = 300;

const failures: string[] = [];
const totals = { passed: 0, failed: 0, ignored: 0 };

/** Runs a step, shows what it prints, and remembers it if it fails. Returns what it printed. */
async function step(words: readonly string[], env: Record<string, string> = {}): Promise<string> {
  console.log(`--- ${words.join(" ")}`);
  const { code, output } = await run(words, { ...ENVIRONMENT, ...env }, TESTS_S);
  console.log(output.trimEnd());
  if (code !== 0) failures.push(words.join(" "));
  return output;
}

/**
 * The same for a run of the tests: each `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)` is added to the totals.
 */
async function tests(words: readonly string[], env: Record<string, string> = {}): Promise<void> {
  const summaries = (await step(words, env)).match(/^(?:ok|FAILED) \| \d+ passed.*$/gm);
  if (summaries === null) return void failures.push(`${words.join(" ")}: it did not come to its end`);
  for (const summary of summaries) {
    for (const total of ["passed", "failed", "ignored"] as const) {
      totals[total] += Number(new RegExp(`(\\d+) ${total}`).exec(summary)?.[1] ?? 0);
    }
  }
}

/** Each of them, also where one before it fails. */
async function allTests(deno: readonly string[], env: Record<string, string> = {}): Promise<void> {
  for (const task of TESTS) await tests([...deno, "task", task], env);
}

async function installPackages(): Promise<void> {
  const { output } = await run(
    ["dpkg-query", "-W", "-f", "${Package} ${Status}\n", ...PACKAGES],
    ENVIRONMENT,
    APT_S,
  );
  const missing = PACKAGES.filter((name) => !output.includes(`${name} install ok installed\n`));
  if (missing.length === 0) return;
  await run(["apt-get", "update", "-qq"], ENVIRONMENT, APT_S);
  for (const name of missing) {
    const install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", name];
    const { code } = await run(install, ENVIRONMENT, APT_S);
    if (code !== 0) console.log(`without ${name}`);
  }
}

/** Makes what would be published, and runs the tests against the program in it, under the name that they expect. */
async function testRelease(): Promise<void> {
  const made = [deno, "task", "release"];
  // What is tested here need not be committed.
  await step(made, { SOURCE_DATE_EPOCH: String(Math.floor(Date.now() / 1000)) });
  if (failures.includes(made.join(" "))) return;
  const program = `${ROOT}.cache/release/echo`;
  await Deno.copyFile(`${DIST}/${programOf("x86_64-unknown-linux-gnu")}`, program);
  await allTests(older, { ECHO_BIN: program });
  await tests([deno, "task", "test:release"]);
}

await installPackages();
const deno = Deno.execPath();
await step([deno, "fmt", "--check"]);
await step([deno, "lint"]);
await step([deno, "check", "--frozen", "."]);
await allTests([deno]);
const older = ["npx", "-y", `deno@${COMPILED_WITH}`];
await step([...older, "task", "compile"]);
await testRelease();

for (const failure of failures) console.log(`FAILED: ${failure}`);
const skipped = totals.ignored === 0 ? "" : `, ${totals.ignored} skipped`;
console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`);
Deno.exit(failures.length === 0 ? 0 : 1);
