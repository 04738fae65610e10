/** How long the released program takes to start and how much it holds at rest, beside a program that does nothing. */

import { succeeds } from "../support/commands.ts";
import { holds, killed, Lines } from "../support/helpers.ts";
import { THREAD_MODULES } from "../../tools/release/bundle.ts";
import { compiler } from "../../tools/release/denos.ts";
import { archiveOf, DIST, programOf } from "../../tools/release/names.ts";
import { compileFor } from "../../tools/release/program.ts";
import { COMPILED_WITH } from "../../tools/runtime/denort.ts";

const TARGET = "x86_64-unknown-linux-gnu";
const ROUNDS = 15;
const START_RATIO = 1.2;
const REST_BYTES = 60e6;
/** How much more than a bare program, where the kernel counts more of the file as resident than it does elsewhere. */
const REST_OVER_BARE_BYTES = 5e6;

/** It is compiled with the flags of a release. */
const BARE = `
console.log("listening");
if (Deno.args[0] === "serve") await Deno.listen({ port: 0 }).accept();
`;

/** Both programs, as one has them who unpacks an archive: a copied file has more of its pages in one piece. */
async function programs(folder: string): Promise<{ ours: string; bare: string }> {
  await succeeds(["mkdir", "-p", `${folder}/sources`, `${folder}/made`]);
  const files: [string, string][] = [
    ["deno.json", JSON.stringify({ permissions: { default: { net: true } } })],
    ["main.js", BARE],
    ...THREAD_MODULES.map((name): [string, string] => [name, ""]),
  ];
  for (const [name, text] of files) await Deno.writeTextFile(`${folder}/sources/${name}`, text);
  await compileFor(
    TARGET,
    `${folder}/sources`,
    `${folder}/made/bare`,
    await compiler({ version: COMPILED_WITH }),
  );
  await succeeds(["sh", "-c", 'cd "$0" && tar -czf bare.tar.gz made && tar -xzf bare.tar.gz', folder]);
  await succeeds(["tar", "-xzf", `${DIST}/${archiveOf(TARGET)}`, "-C", folder]);
  return { ours: `${folder}/${programOf(TARGET)}`, bare: `${folder}/made/bare` };
}

/** Milliseconds until it has ended. */
async function took(program: string): Promise<number> {
  const begin = performance.now();
  await new Deno.Command(program, { args: ["--version"], stdin: "null", stdout: "null" }).output();
  return performance.now() - begin;
}

/** Resident bytes of a server as soon as it listens. */
async function atRest(program: string): Promise<number> {
  const args = ["serve", "127.0.0.1:0"];
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const [out, log] = [new Lines(child.stdout), new Lines(child.stderr)];
  try {
    await Promise.race([out.with("listening"), log.with("listening")]);
    const status = await Deno.readTextFile(`/proc/${child.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  } finally {
    await killed(child);
    await Promise.all([out.ended, log.ended]);
  }
}

Deno.test("--version takes at most 1.2 times as long as a program that does nothing, and a server holds 60 MB", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { ours, bare } = await programs(folder);
    await holds(async () => {
      const best = { ours: Infinity, bare: Infinity };
      for (let round = 0; round < ROUNDS; round++) {
        best.ours = Math.min(best.ours, await took(ours));
        best.bare = Math.min(best.bare, await took(bare));
      }
      console.log(`start-up: ${best.ours.toFixed(1)} ms, bare ${best.bare.toFixed(1)} ms`);
      if (best.ours > START_RATIO * best.bare) throw new Error("--version takes too long");
    });
    const [rest, bareRest] = [await atRest(ours), await atRest(bare)];
    console.log(`at rest: ${(rest / 1e6).toFixed(1)} MB, bare ${(bareRest / 1e6).toFixed(1)} MB`);
    if (rest > Math.max(REST_BYTES, bareRest + REST_OVER_BARE_BYTES)) {
      throw new Error(`at rest: ${rest} bytes`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
