import { assert, assertEquals } from "@std/assert";
import { pages } from "../../tools/docs.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("docs/commands.md and docs/log.md are what tools/docs.ts writes of the tables", async () => {
  for (const [path, text] of Object.entries(await pages())) {
    assertEquals(
      Deno.readTextFileSync(new URL(path, ROOT)),
      text,
      `${path} is old: deno run -A tools/docs.ts`,
    );
  }
});

Deno.test("every relative link of the README and of docs leads to a file, or to a heading of its page", () => {
  const docs = [...Deno.readDirSync(new URL("docs/", ROOT))].map(({ name }) => `docs/${name}`);
  let links = 0;
  for (
    const page of [
      "README.md",
      "CONTRIBUTING.md",
      "SECURITY.md",
      ...docs.filter((path) => path.endsWith(".md")),
    ]
  ) {
    const at = new URL(page, ROOT);
    for (const [, link = ""] of Deno.readTextFileSync(at).matchAll(/\]\(([^)\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      links++;
      const to = new URL(link, at);
      const anchor = to.hash.slice(1);
      to.hash = "";
      if (!link.startsWith("#")) assert(exists(to), `${page} links to ${link}, which is no file`);
      if (anchor === "" || !to.pathname.endsWith(".md")) continue;
      assert(anchors(to).includes(anchor), `${page} links to ${link}, and there is no such heading`);
    }
  }
  assert(links > 5, "this test does not see the links");
});

function exists(at: URL): boolean {
  try {
    return Deno.statSync(at).isFile;
  } catch {
    return false;
  }
}

/** The headings of a page as GitHub spells them in links. */
function anchors(page: URL): string[] {
  const headings = Deno.readTextFileSync(page).replace(/^```.*?^```$/gms, "").matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, text = ""]) =>
    text.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
  );
}
