/** Who may import whom, read from the imports of every source file: types, `import()` and the URLs of workers too. */

import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "node:path/posix";

const ROOT = new URL("..", import.meta.url).pathname;

/** Each room, and the rooms that it may import besides itself. docs/architecture.md says why. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "main.ts": ["commands", "cli", "base"],
  "commands": [
    ...["client.ts", "server.ts", "threads", "server", "client", "load", "probe", "report", "measure"],
    ...["cli", "net", "base"],
  ],
  "threads": ["server.ts", "server", "net", "base"],
  "server.ts": ["server", "net", "base"],
  "server": ["net", "base"],
  "client.ts": ["client", "cli", "net", "base"],
  "client": ["cli", "net", "base"],
  "load": ["probe", "report", "measure", "cli", "net", "base"],
  "probe": ["report", "measure", "cli", "net", "base"],
  "report": ["measure", "cli", "base"],
  "measure": ["base"],
  "cli": ["base"],
  "net": ["base"],
  "base": [],
  // What is no part of the program.
  "compare": ["cli", "base"],
  "tools": ["commands", "server", "cli", "base"],
  "docs": [],
};

/** What is still to be mended, and by whom. */
const KNOWN: Readonly<Record<string, string>> = {};

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
  const found = [...new Set(upwards), ...circles()];
  assertEquals(found.filter((one) => !Object.hasOwn(KNOWN, one)), []);
  // A list that is longer than the truth would let them come back.
  for (const one of Object.keys(KNOWN)) assert(found.includes(one), `${one} is mended: take it from KNOWN`);
});

Deno.test("who must know of a scheme asks for its trait, and not for its name", () => {
  const asks = /\bscheme\)? *[!=]==|[!=]== *(\w+\.)*scheme\b|switch \([^)]*\bscheme\)/;
  const found = FILES.filter((file) => roomOf(file) !== "base" && asks.test(TEXTS.get(file) ?? ""));
  assertEquals(found, ["net/schemes.ts"]);
});
