/** Completions: what the real shells offer once they have read what is made from the tables. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { completions, type Shell, SHELLS } from "../../cli/completions/completions.ts";
import { type Command, type Flags, flagsOf } from "../../cli/flags.ts";
import { KINDS } from "../../cli/kinds.ts";
import { allCommands } from "../../commands/table.ts";
import { has, run } from "../support/helpers.ts";
import { Terminal } from "../support/terminal.ts";

const commands = await allCommands();
const decoder = new TextDecoder();

/** A flag of each kind, a choice, and switches with what would break a script. */
const every: Command<Flags> = {
  name: "every",
  usage: "every",
  summary: "Has `every` \"kind\" of: 'flag' [sic]; $(reboot) & \\more. And so on.",
  notes: [],
  examples: [],
  flags: {
    ...Object.fromEntries(
      (Object.keys(KINDS) as (keyof typeof KINDS)[]).map((kind) => [
        `of${kind.charAt(0).toUpperCase()}${kind.slice(1)}`,
        { kind, help: `of: 'a' [${kind}] $HOME \\ \`x\`` },
      ]),
    ),
    engine: { kind: "choice", short: "e", value: "E[:x]", of: ["deno", "epoll"], help: "one of two" },
    ipv4: { kind: "switch", short: "4", help: "one of two" },
  },
};

/** Calls `check` with the path of a shell's script for these commands, in a folder of its own. */
async function withScript(
  shell: Shell,
  check: (path: string, folder: string) => Promise<void>,
  { name = "netecho", of = [...commands, every] } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "echo-test-" });
  try {
    const path = `${folder}/_netecho`;
    await Deno.writeTextFile(path, completions(shell, name, of));
    await Deno.writeTextFile(`${folder}/my key.pem`, "");
    await Deno.mkdir(`${folder}/my-folder`);
    await check(path, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function shellOutput(program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(program, { args, env: { HOME: "/nonexistent" } })
    .output();
  assertEquals(decoder.decode(stderr), "", args.join(" "));
  return decoder.decode(stdout);
}

/** What is typed before TAB is pressed, and what the line is then. */
const TYPED: [typed: string, line: string][] = [
  ["netecho ben", "netecho bench"],
  ["netecho --ver", "netecho --version"],
  ["netecho help conn", "netecho help connect"],
  ["netecho completions fi", "netecho completions fish"],
  ["netecho bench --pipel", "netecho bench --pipeline"],
  ["netecho ping ::1 --he", "netecho ping ::1 --help"],
  ["netecho serve --log-level w", "netecho serve --log-level warn"],
  ["netecho serve --log-format=j", "netecho serve --log-format=json"],
  ["netecho serve --workers a", "netecho serve --workers auto"],
  ["netecho serve --cert my\\ k", "netecho serve --cert my\\ key.pem"],
  ["netecho serve --cert=my\\ k", "netecho serve --cert=my\\ key.pem"],
  ["netecho connect unix:my\\ k", "netecho connect unix:my\\ key.pem"],
  ["netecho every -e ep", "netecho every -e epoll"],
  ["netecho every --engine=ep", "netecho every --engine=epoll"],
  ["netecho every --of-fil", "netecho every --of-file"],
  ["netecho every --of-folder m", "netecho every --of-folder my-folder/"],
];

const COMPINIT = "autoload -U compinit; compinit -D -u";
/** Shells, and how they read the script `_netecho` of this folder. */
const AT_TERMINALS: [shell: "bash" | "zsh", words: string[], reads: string][] = [
  ["bash", ["bash", "--norc", "--noprofile"], ". ./_netecho"],
  ["zsh", ["zsh", "-f"], `${COMPINIT}; . ./_netecho`],
  ["zsh", ["zsh", "-f"], `fpath=($PWD $fpath); ${COMPINIT}`],
];

for (const [shell, words, reads] of AT_TERMINALS) {
  Deno.test({
    name: `${shell} completes a command, a flag, a choice and a file at a terminal, after ${reads}`,
    ignore: !has("tmux", shell),
    fn: () =>
      withScript(shell, async (_, folder) => {
        await using terminal = await Terminal.run(words);
        await terminal.type(`cd ${folder}; PS1="> "; ${reads}; clear; echo rea""dy`, "Enter");
        await terminal.shows(/^ready\n>/m);
        for (const [typed, line] of TYPED) {
          await terminal.type(typed, "Tab");
          // For a value that may follow, zsh puts a =, which a space takes away again.
          await terminal.shows(new RegExp(`^> ${RegExp.escape(line)}=?$`, "m"));
          await terminal.type("", "C-u");
          await terminal.shows(/^>$/m);
        }
      }),
  });
}

Deno.test({
  name: "fish completes a command, a flag, a choice and a file",
  ignore: !has("fish"),
  fn: () =>
    withScript("fish", async (path, folder) => {
      const script = "cd $argv[1]; source $argv[2]; for line in $argv[3..]; complete -C $line; echo; end";
      const lines = TYPED.map(([typed]) => typed);
      const offers = (await shellOutput("fish", "--no-config", "-c", script, folder, path, ...lines)).split(
        "\n\n",
      );
      for (const [i, [typed, line]] of TYPED.entries()) {
        const words = offers[i]!.split("\n").map((offer) => offer.replace(/\t.*/, ""));
        const word = /(?:\\ |\S)*$/.exec(line)![0].replace("\\", "");
        assert(words.includes(word), `${typed}: ${offers[i]}`);
      }
    }),
});

Deno.test("a flag of any kind is in the completions of every shell as soon as it is in a table", () => {
  const flags = flagsOf(every.flags);
  assertEquals(flags.length, Object.keys(KINDS).length + 2);
  for (const shell of SHELLS) {
    const script = completions(shell, "netecho", [every]);
    for (const { name } of flags) assertMatch(script, new RegExp(`(--|-l )${name}\\b`), `${shell}: ${name}`);
    assertMatch(script, /(-|-s )4\b/);
  }
});

for (const shell of SHELLS) {
  Deno.test({
    name: `what is printed for ${shell} is a script without a fault, under any name`,
    ignore: !has(shell),
    async fn() {
      const { code, stdout, stderr } = await run(["completions", shell]);
      assertEquals([code, stderr], [0, ""]);
      assertEquals(decoder.decode(stdout), completions(shell, "echo", commands));
      for (const name of ["netecho", "echo", "netecho-0.2+x.y"]) {
        await withScript(shell, async (path) => {
          assertEquals(await shellOutput(shell, "-n", path), "");
        }, { name });
      }
    },
  });
}

/** What the function for bash answers when the last of these words is to be completed. */
function bashOffers(folder: string, id: string, words: readonly string[]): Promise<string> {
  const line = words.map((word) => `'${word}'`).join(" ");
  const call = `COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; ${id} ${words[0]}`;
  const script = `set -u; cd ${folder}; . ./_netecho; ${call}; echo "\${COMPREPLY[@]-}"`;
  return shellOutput("bash", "--norc", "-c", script);
}

Deno.test({
  name: "under the name echo, bash completes ./echo and leaves its own word alone",
  ignore: !has("bash"),
  fn: () =>
    withScript("bash", async (_, folder) => {
      assertStringIncludes(await bashOffers(folder, "_echo", ["./echo", ""]), "serve connect ping bench");
      assertEquals(await bashOffers(folder, "_echo", ["echo", "my"]), "my key.pem my-folder\n");
    }, { name: "echo" }),
});

Deno.test({
  name: "bash offers what fits: nothing for a number, no flag after --, and --flag=value as one word",
  ignore: !has("bash"),
  fn: () =>
    withScript("bash", async (_, folder) => {
      const rows: [words: string[], offers: string][] = [
        [["serve", "--max-clients", ""], ""],
        [["bench", "-c", "--"], ""],
        [["serve", "--log-level=w"], "--log-level=warn"],
        [["serve", "--", "--log"], ""],
        [["serve", "--", "my-"], "my-folder"],
        [["every", "--of-folder", "my"], "my-folder"],
        [["serve", "--log-f"], "--log-format"],
        [["nonsense", "-"], ""],
      ];
      for (const [words, offers] of rows) {
        const offered = await bashOffers(folder, "_netecho", ["netecho", ...words]);
        assertEquals(offered, `${offers}\n`, words.join(" "));
      }
    }),
});

Deno.test("a shell that is unknown, missing or one too many is refused in one line", async () => {
  const rows: [words: string[], why: string][] = [
    [["tcsh"], 'unknown shell "tcsh"; there are bash, zsh, fish'],
    [["a\nb"], 'unknown shell "a\\nb"; there are bash, zsh, fish'],
    [[], "completions needs the name of a shell: bash, zsh or fish"],
    [["bash", "zsh"], 'one shell is enough, and "zsh" is one more'],
  ];
  for (const [words, why] of rows) {
    const { code, stdout, stderr } = await run(["completions", ...words]);
    assertEquals([code, stdout.length, stderr], [2, 0, `echo: ${why}\n`]);
  }
});
