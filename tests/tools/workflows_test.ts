/** What of the workflows can be held without GitHub: what they run, what they may, and what they are pinned to. */

import { assertEquals, assertMatch } from "@std/assert";
import { COMPILED_WITH } from "../../tools/runtime/denort.ts";
import { BUNDLED_WITH } from "../../tools/release/denos.ts";
import { TARGETS } from "../../tools/runtime/targets.ts";
import { has, ROOT } from "../support/helpers.ts";
import { shell } from "../support/commands.ts";

const FOLDER = `${ROOT}.github/workflows`;
const TEXTS = new Map(
  [...Deno.readDirSync(FOLDER)].map(({ name }) => [name, Deno.readTextFileSync(`${FOLDER}/${name}`)]),
);

interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Record<string, unknown>;
}

interface Workflow {
  readonly permissions: Record<string, string>;
  readonly jobs: Record<string, { readonly steps: Step[]; readonly "timeout-minutes"?: number }>;
}

/** Ruby has a reader of YAML without a package. */
async function read(name: string): Promise<Workflow> {
  const script = "require 'yaml'; require 'json'; puts YAML.load_file(ARGV[0]).to_json";
  return JSON.parse(await shell(`ruby -e "${script}" ${name}`, FOLDER));
}

/** The steps of all jobs of all workflows. */
async function steps(): Promise<Step[]> {
  const workflows = await Promise.all([...TEXTS.keys()].map(read));
  return workflows.flatMap(({ jobs }) => Object.values(jobs).flatMap(({ steps }) => steps));
}

Deno.test("workflows: each action is pinned to a commit, and says which version that is", () => {
  for (const [name, text] of TEXTS) {
    const uses = [...text.matchAll(/^ +(?:- )?uses: (.*)$/gm)].map(([, what = ""]) => what);
    const loose = uses.filter((what) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(what));
    assertEquals([name, loose], [name, []]);
    assertEquals(uses.length > 0, true);
  }
});

Deno.test("workflows: the versions of Deno and the systems are those of the tools", () => {
  assertMatch(TEXTS.get("ci.yml") ?? "", new RegExp(`deno: \\["${BUNDLED_WITH}", "${COMPILED_WITH}"\\]`));
  assertMatch(TEXTS.get("release.yml") ?? "", new RegExp(`DENO: "${BUNDLED_WITH}"`));
  const targets = [...(TEXTS.get("release.yml") ?? "").matchAll(/target: ([\w-]+) }/g)].map(([, name]) =>
    name
  );
  assertEquals(targets, [...TARGETS]);
});

Deno.test({
  name: "workflows: no job may more than it needs, or keeps the token in its clone, or runs for hours",
  ignore: !has("ruby"),
  fn: async () => {
    assertEquals((await read("ci.yml")).permissions, { contents: "read" });
    assertEquals((await read("release.yml")).permissions, {});
    for (const { uses, with: inputs } of await steps()) {
      if (uses?.startsWith("actions/checkout@")) assertEquals(inputs?.["persist-credentials"], false);
    }
    for (const name of TEXTS.keys()) {
      const { jobs } = await read(name);
      const endless = Object.entries(jobs).filter(([, job]) => job["timeout-minutes"] === undefined);
      assertEquals(endless.map(([job]) => job), []);
    }
  },
});

Deno.test({
  name: "workflows: shellcheck finds nothing in what they run, and no text of an event is part of a script",
  ignore: !has("ruby", "shellcheck"),
  fn: async () => {
    const scripts = (await steps()).flatMap(({ run }) => run ?? []);
    assertEquals(scripts.filter((script) => script.includes("${{")), []);
    const folder = await Deno.makeTempDir();
    try {
      for (const [at, script] of scripts.entries()) {
        await Deno.writeTextFile(`${folder}/${at}.sh`, `#!/bin/bash -e\n${script}`);
      }
      await shell("shellcheck *.sh", folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
