/** The man page: what groff and mandoc say of it, and that it has all that the tables have. */

import config from "../../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { manPage } from "../../cli/man.ts";
import { type Command, type Flags, flagsOf } from "../../cli/flags.ts";
import { KINDS } from "../../cli/kinds.ts";
import { allCommands } from "../../commands/table.ts";
import { has, run } from "../support/helpers.ts";

const commands = await allCommands();
const decoder = new TextDecoder();

/** A flag of each kind, and words that troff would obey. */
const every: Command<Flags> = {
  name: "every",
  usage: "every [.WORD]",
  summary: ".so /etc/passwd is no request, \\fBnor\\fR is 'this'; naïve ~ ^ ` \\.",
  notes: ["'br ./path " + "and-words ".repeat(12) + ".br .br ./path", "Signals: INT ends every."],
  examples: [["echo every --flag-with-hyphens 'a b' > ~/FILE", "an example"]],
  flags: Object.fromEntries(
    (Object.keys(KINDS) as (keyof typeof KINDS)[]).map((
      kind,
    ) => [`of${kind}`, { kind, help: `${kind}, said` }]),
  ),
};

const page = manPage({
  name: "netecho",
  version: config.version,
  date: config.released,
  commands: [...commands, every],
});

/** What a formatter says on stderr, and the page as plain text. */
async function formatted(words: string[], columns = 80): Promise<{ said: string; text: string }> {
  const path = await Deno.makeTempFile({ suffix: ".1" });
  try {
    await Deno.writeTextFile(path, page);
    const [program = "", ...args] = words;
    const env = { MANWIDTH: String(columns), LC_ALL: "C.UTF-8" };
    const { stdout, stderr } = await new Deno.Command(program, { args: [...args, path], env }).output();
    return { said: decoder.decode(stderr), text: decoder.decode(stdout) };
  } finally {
    await Deno.remove(path);
  }
}

Deno.test({
  name: "man has no warning for the page, and no line is too long or cut in a flag, at 80 and 60 columns",
  ignore: !has("man", "groff"),
  async fn() {
    for (const columns of [80, 60]) {
      const { said, text } = await formatted(["man", "--warnings", "-l"], columns);
      assertEquals(said, "");
      for (const line of text.split("\n")) assert(line.length <= columns, `${line.length}: ${line}`);
      assertEquals(/ -+\w[\w-]*-$/m.exec(text), null, "a flag is cut");
      const words = text.replaceAll(/\s+/g, " ");
      for (const { name, value, help } of [...commands, every].flatMap(({ flags }) => flagsOf(flags))) {
        assertStringIncludes(words, `--${name}${value === undefined ? "" : ` ${value}`} ${help}`);
      }
      assertStringIncludes(words, every.summary);
      assertStringIncludes(words, every.notes[0]!);
      assertStringIncludes(words, "netecho every --flag-with-hyphens 'a b' > ~/FILE an example");
    }
  },
});

Deno.test({
  name: "mandoc has nothing to say of the page",
  ignore: !has("mandoc"),
  async fn() {
    assertEquals(await formatted(["mandoc", "-Tlint"]), { said: "", text: "" });
  },
});

Deno.test("the page has its sections in the usual order, and all commands, exit codes and signals", () => {
  const sections = [...page.matchAll(/^\.SH (.*)$/gm)].map(([, name]) => name);
  assertEquals(sections, [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    ...[...commands, every].map(({ name }) => name.toUpperCase()),
    "VALUES",
    "EXIT STATUS",
    "SIGNALS",
    "ENVIRONMENT",
    "EXAMPLES",
    "SEE ALSO",
  ]);
  assertMatch(page, /^\.SH SIGNALS\n[^]*\\fBevery\\fR\nINT ends every\.\n\.SH ENV/m);
  assertEquals(/^\.(?!TH|nh|ad l|SH|HP 4|PP|TP)/m.exec(page), null, "a word has become a request");
});

Deno.test("what is printed is the page, under the name of the program", async () => {
  const { code, stdout, stderr } = await run(["man"]);
  const { version, released } = config;
  assertEquals(decoder.decode(stdout), manPage({ name: "echo", version, date: released, commands }));
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(decoder.decode(stdout), `.TH ECHO 1 ${released} "echo ${version}"`);
  const surplus = await run(["man", "serve"]);
  assertEquals([surplus.code, surplus.stderr], [2, 'echo: man takes no "serve"; try man alone\n']);
});

Deno.test("the date of the page is that of the version in the changelog, once it has one", () => {
  const changelog = Deno.readTextFileSync(new URL("../../CHANGELOG.md", import.meta.url));
  const heading = new RegExp(`^## ${RegExp.escape(config.version)} \\((.*)\\)$`, "m").exec(changelog)?.[1];
  assert(
    heading === "unreleased" || heading === config.released,
    `CHANGELOG.md says ${heading}, and deno.json that it is released ${config.released}`,
  );
});
