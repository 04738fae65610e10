/** Who may import whom, read from the imports of every source file: types, `import()` and the URLs of workers too. */

import { fileURLToPath } from "node:url";
import { assertEquals } from "@std/assert";
import { dirname, join } from "node:path/posix";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Each room, and the rooms that it may import besides itself: the table of docs/architecture.md. */
const MAY_IMPORT = table(Deno.readTextFileSync(`${ROOT}docs/architecture.md`));

function table(page: string): Record<string, readonly string[]> {
  const names = (cell = "") => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  const head = /^\| room +\| may import +\|\n\|[-| ]+\|\n((?:\|.*\|\n)+)/m;
  const rows = (head.exec(page)?.[1] ?? "").trimEnd().split("\n").map((line) => line.split("|"));
  const below = (row: number) => rows.slice(row + 1).flatMap(([, rooms]) => names(rooms));
  return Object.fromEntries(
    rows.flatMap(([, rooms, may = ""], row) =>
      names(rooms).map((room) => [room, may.includes("every room below") ? below(row) : names(may)])
    ),
  );
}

/** The paths of all sources but the tests, from the root. */
function sources(folder = ""): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap(({ name, isDirectory }) => {
    const path = folder + name;
    if (isDirectory) return /^(\.|node_modules$|tests$)/.test(path) ? [] : sources(`${path}/`);
    return name.endsWith(".ts") ? [path] : [];
  });
}

const FILES = sources().sort();
const TEXTS = new Map(FILES.map((file) => [file, Deno.readTextFileSync(ROOT + file)]));

/** What a file names of our own, from the root. */
function importsOf(file: string): string[] {
  const named = (TEXTS.get(file) ?? "").matchAll(
    /(?:\bfrom|\bimport\(|\bimport|\bURL\(|\bresolve\()\s*"(\.[^"]*)"/g,
  );
  return [...named].map(([, path = ""]) => join(dirname(file), path)).filter((path) => path.endsWith(".ts"));
}

function roomOf(path: string): string {
  return path.replace(/\/.*/, "");
}

/** Every way from a file back to itself, named once, by its first file in the order of the alphabet. */
function circles(): string[] {
  const found = new Set<string>();
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]) => {
    const at = way.indexOf(file);
    if (at >= 0) return void found.add(circle(way.slice(at)));
    if (done.has(file)) return;
    for (const next of importsOf(file)) visit(next, [...way, file]);
    done.add(file);
  };
  for (const file of FILES) visit(file, []);
  return [...found];
}

function circle(files: readonly string[]): string {
  const first = files.indexOf([...files].sort()[0] ?? "");
  const turned = [...files.slice(first), ...files.slice(0, first)];
  return [...turned, turned[0]].join(" -> ");
}

Deno.test("every source stands in a room of the table", () => {
  assertEquals(FILES.filter((file) => !Object.hasOwn(MAY_IMPORT, roomOf(file))), []);
});

Deno.test("every import() and every URL beside a file is written out, so that this test sees it", () => {
  const hidden = FILES.filter((file) =>
    /\bimport\((?!\s*")|\bURL\((?!\s*")[^)]*import\.meta/.test(TEXTS.get(file) ?? "")
  );
  assertEquals(hidden, []);
});

Deno.test("a room imports only the rooms below it, and no files go in a circle", () => {
  const upwards = FILES.flatMap((file) =>
    importsOf(file)
      .filter((path) => ![roomOf(file), ...MAY_IMPORT[roomOf(file)] ?? []].includes(roomOf(path)))
      .map((path) => `${file} -> ${path}`)
  );
  assertEquals([...new Set(upwards), ...circles()], []);
});

Deno.test("who must know of a scheme asks for its trait, and not for its name", () => {
  const asks = /\bscheme\)? *[!=]==|[!=]== *(\w+\.)*scheme\b|switch \([^)]*\bscheme\)/;
  const found = FILES.filter((file) => roomOf(file) !== "base" && asks.test(TEXTS.get(file) ?? ""));
  assertEquals(found, ["net/schemes.ts"]);
});
