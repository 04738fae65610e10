/** The program's own name: what it is started by, as far as that can be shown. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { nameIn, programName, typed } from "../../base/program.ts";
import { ECHO, ROOT } from "../support/helpers.ts";

Deno.test("the name is the last part of the path, and echo where that is no plain word", () => {
  const rows: [word: string, name: string][] = [
    ["/usr/bin/netecho", "netecho"],
    ["./echo", "echo"],
    ["netecho-0.2.0", "netecho-0.2.0"],
    ["C:\\Program Files\\netecho.EXE", "netecho"],
    ["n".repeat(28), "n".repeat(28)],
    ["n".repeat(29), "echo"],
    ["my echo", "echo"],
    ["a\nb", "echo"],
    ["\x1b[31mred", "echo"],
    ["$(reboot)", "echo"],
    ["-netecho", "echo"],
    ["écho", "echo"],
    ["a/", "echo"],
    ["", "echo"],
  ];
  for (const [word, name] of rows) assertEquals(nameIn(word), name, JSON.stringify(word));
});

Deno.test("an example is typed with the name, and a program that begins with echo is another", () => {
  assertEquals(typed("echo ping :7 | echo", "netecho"), "netecho ping :7 | echo");
  assertEquals(typed("echoes ping", "netecho"), "echoes ping");
  assertEquals([typed("echo", "netecho"), programName()], ["netecho", "echo"]);
});

Deno.test({
  name: "the compiled program answers to the name of a link, of a copy's path, and of exec -a",
  ignore: Deno.env.get("ECHO_BIN") === undefined,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const link = `${folder}/netecho`;
      await Deno.symlink(ECHO[0]!, link);
      const ran = async (as: string, words: string[]) => {
        const args = ["-c", 'exec -a "$0" "$@"', as, link, ...words];
        const { stdout, stderr } = await new Deno.Command("bash", { args, cwd: ROOT }).output();
        return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      };
      for (const words of [["help"], ["ping", "--help"], ["ping", "--nonsense"], ["nonsense"], ["-V"]]) {
        const text = await ran(link, words);
        assertStringIncludes(text, "netecho");
        assertEquals(text.match(/(?<!net)\becho (?!server|service)|^echo:/gm), null, text);
      }
      assertStringIncludes(await ran(link, ["completions", "bash"]), "\ncomplete -F _netecho netecho\n");
      assertStringIncludes(await ran(link, ["man"]), "\n\\fBnetecho connect 10.0.0.7");
      assertStringIncludes(await ran("$(reboot)", ["completions", "fish"]), "\ncomplete -c echo -n");
      for (const as of ["a b", "a\nb", "\x1b[31mred", "n".repeat(200), ""]) {
        const why = 'unknown command "serv"; did you mean serve?';
        assertEquals(await ran(as, ["serv"]), `echo: ${why}\n`, JSON.stringify(as));
      }
      assertEquals(await ran("lights", ["-V"]), (await ran("echo", ["-V"])).replace("echo", "lights"));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
