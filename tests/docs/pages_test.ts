/** That what README and the manual name is there: pages, commands, flags, tests. */

import { assert, assertEquals } from "@std/assert";
import { COMMANDS as TABLE } from "../../commands/table.ts";
import { ECHO } from "../support/helpers.ts";

const ROOT = new URL("../../", import.meta.url);
/** Other pages that are read by people. */
const MORE = ["CONTRIBUTING.md", "SECURITY.md"];
/** These are written from the tables of flags and events themselves. */
const GENERATED = ["docs/commands.md", "docs/log.md"];
const COMMANDS = Object.keys(TABLE);
const NAMED = new RegExp(`(?:\\becho|main\\.ts) (${COMMANDS.join("|")})\\b([^|]*)`);
/** Flags of other programs, Deno's above all. */
const FOREIGN =
  /^--(allow-\w+|block-signal|check|deno|frozen|global|ignore-missing|no-code-cache|no-prompt|only|peers|predicate-type|repo|rounds|signer-workflow|v8-flags)$/;
/** Lines that start another program. */
const OTHERS = /^(podman|gh|sha256sum|systemctl|install) /;

const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));
const pages = ["README.md", ...MORE, ...files("docs").filter((path) => path.endsWith(".md"))];

/** The paths of all files below a folder. */
function files(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? files(`${folder}/${name}`) : [`${folder}/${name}`]
  );
}

/** The flags of a command, as its help spells them: `-c` and `--count`. */
async function flagsOf(command: string): Promise<Set<string>> {
  const [program = "", ...words] = ECHO;
  const { stdout } = await new Deno.Command(program, { args: [...words, command, "--help"], cwd: ROOT })
    .output();
  const rows = new TextDecoder().decode(stdout).split("\n").filter((line) => /^ +(-\w, )?--/.test(line));
  return new Set(rows.flatMap((row) => [...row.matchAll(/(?<= )--?[a-z][\w-]*/gi)].map(([flag]) => flag)));
}

/** What a page shows of ours: in docs/comparison.md the second column of each table, and lines of blocks. */
function ours(page: string): string {
  const text = read(page);
  if (page !== "docs/comparison.md") return text;
  const rows = [...text.matchAll(/^\|[^|]*\|(.*)\|$/gm)].map(([, cell]) => cell);
  return [...rows, ...text.split("\n").filter((line) => /^echo /.test(line)).map((line) => `\`${line}\``)]
    .join("\n");
}

/** What stands in backticks: the lines of blocks, where a `\` joins two, and words in the text. */
function code(page: string): string[] {
  const blocks = [...page.matchAll(/^```\w*\n([^]*?)^```$/gm)].map(([, block = ""]) => block);
  const words = [...page.replaceAll(/^```\w*\n[^]*?^```$/gm, "").matchAll(/`([^`]+)`/g)].map((
    [, word = ""],
  ) => word);
  return [...blocks.flatMap((block) => block.replaceAll("\\\n", " ").split("\n")), ...words];
}

Deno.test("every page of the manual is linked from README", () => {
  const readme = read("README.md");
  for (const page of pages.filter((page) => page.startsWith("docs/"))) {
    assert(readme.includes(`](${page})`), `README.md does not link ${page}`);
  }
});

Deno.test("README is short, and its first screen has the two commands", () => {
  const lines = read("README.md").trimEnd().split("\n");
  assert(lines.length <= 150, `README.md has ${lines.length} lines`);
  const screen = lines.slice(0, 40).join("\n");
  for (const command of ["npx -y deno task start", "npx -y deno task test"]) {
    assert(screen.includes(command), command);
  }
});

Deno.test("every defect of the tutorial has a test of its name", () => {
  const tests = files("tests").filter((path) => path.endsWith(".ts")).map(read).join("\n");
  const named = [...read("docs/origins.md").matchAll(/^\|.*\| `(fault \d+)` *\|$/gm)].map(([, name = ""]) =>
    name
  );
  assertEquals(named, Array.from({ length: 27 }, (_, i) => `fault ${i + 1}`));
  for (const name of named) {
    assert(new RegExp(`["'\`]${name}: `).test(tests), `no test has a name that begins with "${name}:"`);
  }
});

Deno.test("every file that the plan of the house and CONTRIBUTING name is there", () => {
  const plan = /^```text\n([^]*?)^```$/m.exec(read("docs/architecture.md"))?.[1] ?? "";
  let room = "";
  const planned = plan.split("\n").flatMap((line) => {
    room = /^(\w+\/)/.exec(line)?.[1] ?? (/^\w/.test(line) ? "" : room);
    return [...line.matchAll(/[\w/]+\.ts\b/g)].map(([name]) => `${room}${name}`);
  });
  assert(planned.length > 40, "this test does not see the plan");
  const named = ["docs/architecture.md", "CONTRIBUTING.md"].flatMap((page) =>
    code(read(page)).filter((word) => /^[\w/]+\.ts$/.test(word))
  );
  for (const path of [...planned, ...named]) assert(exists(new URL(path, ROOT)), `${path} is not there`);
});

function exists(path: URL): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

Deno.test("every flag that README and docs show is one of the command", async () => {
  const flags = new Map(
    await Promise.all(COMMANDS.map(async (name) => [name, await flagsOf(name)] as const)),
  );
  const any = new Set([...flags.values()].flatMap((of) => [...of]));
  for (const page of pages.filter((page) => !GENERATED.includes(page))) {
    for (const line of code(ours(page)).filter((line) => !OTHERS.test(line))) {
      // A flag belongs to the last command that is named before it; after a pipe, to whoever is there.
      const [, name = "", words = ""] = NAMED.exec(line) ?? [];
      const shown = name === ""
        ? line.matchAll(/(?<![\w=-])--[a-z][\w-]*/g)
        : words.matchAll(/(?<= )--?[a-z][\w-]*/gi);
      for (const [flag] of shown) {
        const known = flags.get(name) ?? any;
        assert(
          known.has(flag) || (name === "" && FOREIGN.test(flag)),
          `${page} shows ${flag}, which is no flag: ${line}`,
        );
      }
    }
  }
});
