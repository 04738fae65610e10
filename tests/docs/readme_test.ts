import { assert, assertEquals } from "@std/assert";
import { command as benchCommand } from "../../commands/bench.ts";
import { command as pingCommand } from "../../commands/ping.ts";
import { command as connectCommand } from "../../commands/connect.ts";
import { command as serveCommand } from "../../commands/serve.ts";
import { help } from "../../cli/help.ts";
import { EVENTS } from "../../server/events.ts";

const ROOT = new URL("../../", import.meta.url);
const readme = Deno.readTextFileSync(new URL("README.md", ROOT));

Deno.test("the README shows the help of every command as it is printed", () => {
  for (const text of [help(serveCommand), help(connectCommand), help(pingCommand), help(benchCommand)]) {
    const block = `\`\`\`text\n${text}\n\`\`\`\n`;
    assert(readme.includes(block), `README.md does not have this block:\n${block}`);
  }
});

Deno.test("the README's table of log events is that of cli/log.ts", () => {
  const table = /^\| Event +\| Level +\| Meaning +\|\n\|[-| ]+\|\n((?:\|.*\|\n)+)/m.exec(readme)?.[1] ?? "";
  const rows = table.trimEnd().split("\n").map((row) =>
    row.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  assertEquals(rows, Object.entries(EVENTS).map(([name, row]) => [`\`${name}\``, row.level, row.meaning]));
});

Deno.test("every relative link of the README and of docs leads to a file", () => {
  for (const page of ["README.md", "docs/fairness.md"]) {
    const at = new URL(page, ROOT);
    const links = [...Deno.readTextFileSync(at).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, link = ""]) =>
      link
    )
      .filter((link) => !/^[a-z]+:/.test(link));
    assert(links.length > 0, `${page} has no links, or this test does not see them`);
    for (const link of links) {
      assert(Deno.statSync(new URL(link, at)).isFile, `${page} links to ${link}, which is no file`);
    }
  }
});
