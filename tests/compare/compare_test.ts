import { assert, assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { has, ROOT, within } from "../support/helpers.ts";

/** Every process that a run starts inherits this variable, whatever becomes of its parents. */
const MARK = "ECHO_COMPARE_TEST";

/** `deno task compare`, with a temp folder of its own; `mark` is its value of MARK. */
function compare(words: string[], folder: string, mark: string): Deno.ChildProcess {
  const [, ...task] = config.tasks.compare.split(" ");
  return new Deno.Command(Deno.execPath(), {
    args: [...task, ...words, "--out", `${folder}/out`],
    cwd: ROOT,
    env: { [MARK]: mark, TMPDIR: `${folder}/tmp` },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The command lines of all processes that have this mark. */
function marked(mark: string): string[] {
  const found: string[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    try {
      if (!/^\d+$/.test(name)) continue;
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`).split("\0");
      if (!environment.includes(`${MARK}=${mark}`)) continue;
      found.push(Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " "));
    } catch { /* it has ended meanwhile */ }
  }
  return found;
}

async function emptyFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/tmp`);
  return folder;
}

/** Whether every tag of an SVG is closed in its turn; that is all of XML that the chart can get wrong. */
function wellFormed(svg: string): boolean {
  const open: string[] = [];
  for (const [, end, name, self] of svg.matchAll(/<(\/?)([a-z]+)(?:\s+[\w-]+="[^"<]*")*\s*(\/?)>/gi)) {
    if (end !== "" && open.pop() !== name) return false;
    if (end === "" && self === "") open.push(name!);
  }
  return open.length === 0 && !svg.replaceAll(/<[^<>]*>/g, "").match(/[<>]/);
}

Deno.test({
  name: "deno task compare measures ours beside its peers, and writes the tables and the chart",
  ignore: !has("gcc", "timeout"),
  async fn() {
    const folder = await emptyFolder();
    await using child = compare(
      ["--rounds", "1", "--seconds", "0.3", "--only", "unix-64x64"],
      folder,
      folder,
    );
    const { code, stderr } = await within(60_000, "the end of the comparison", child.output());
    assertEquals(new TextDecoder().decode(stderr), "");
    assertEquals(code, 0);
    const page = await Deno.readTextFile(`${folder}/out/compare/RESULTS.md`);
    assertMatch(page, /^\| echo serve +\| +[\d,]+ \|/m);
    assertMatch(page, /^\| C epoll +\| +[\d,]+ \|.* \d+\.\d\d \|$/m);
    assertMatch(page, /^\| C threads +\| +[\d,]+ \|.* \d+\.\d\d \|$/m);
    assertMatch(page, /^- Versions: echo \d+\.\d+\.\d+.*Deno \d/m);
    assert(page.includes("--only unix-64x64"), "the command is not there");
    const svg = await Deno.readTextFile(`${folder}/out/compare/ratios.svg`);
    assert(wellFormed(svg), svg);
    assert(/>\s*C epoll\s*</.test(svg) && svg.includes("prefers-color-scheme: dark"), svg);
    assertEquals(marked(folder), [], "processes are left");
    assertEquals([...Deno.readDirSync(`${folder}/tmp`)], [], "files are left");
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "deno task compare stops at a signal, and leaves no process and no file behind",
  ignore: !has("gcc", "timeout"),
  async fn() {
    const folder = await emptyFolder();
    await using child = compare(["--seconds", "60", "--only", "unix-64x64"], folder, folder);
    const measuring = async () => {
      while (!marked(folder).some((line) => line.includes("/load echo "))) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    await within(30_000, "the first measurement", measuring());
    child.kill("SIGTERM");
    const { code, stderr } = await within(5000, "the end after SIGTERM", child.output());
    assertEquals(code, 1);
    assertEquals(new TextDecoder().decode(stderr), "compare: stopped by SIGTERM; nothing is written\n");
    assertEquals(marked(folder), [], "processes are left");
    assertEquals([...Deno.readDirSync(`${folder}/tmp`)], [], "files are left");
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("deno task compare names the cells when it is asked for another", async () => {
  const folder = await emptyFolder();
  const { code, stderr } = await compare(["--only", "tcp-65x65"], folder, folder).output();
  assertEquals(code, 2);
  assertMatch(
    new TextDecoder().decode(stderr),
    /^compare: --only: "tcp-65x65" is no cell; there are tcp-64x64, /,
  );
  await Deno.remove(folder, { recursive: true });
});
