/** Archives that are the same bytes each time: sorted, with one time, and without the owner's name. */

import { type Zippable, zipSync } from "fflate";
import { createTar } from "nanotar";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** A file of an archive. */
export interface Entry {
  /** From the top of the archive, with slashes. */
  readonly path: string;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly executable: boolean;
}

/** Of all files below `folder`, whose name they begin with. */
export async function entriesOf(folder: string): Promise<Entry[]> {
  const top = folder.replace(/.*\//, "");
  const entries: Entry[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) {
      entries.push(...(await entriesOf(path)).map((entry) => ({ ...entry, path: `${top}/${entry.path}` })));
    } else {
      const executable = ((await Deno.stat(path)).mode ?? 0) & 0o100;
      entries.push({ path: `${top}/${name}`, data: await Deno.readFile(path), executable: executable !== 0 });
    }
  }
  return entries.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** A tar(5) of the ustar format, compressed by gzip; `time` in seconds. */
export async function tarGz(entries: readonly Entry[], time: number): Promise<Uint8Array> {
  const root = { uid: 0, gid: 0, user: "root", group: "root", mtime: time * 1000 };
  const tar = createTar(entries.map(({ path, data, executable }) => ({
    name: path,
    data,
    attrs: { ...root, mode: executable ? "755" : "644" },
  })));
  return await promisify(gzip)(tar, { level: 9 });
}

/** A zip as Unix makes it; `time` in seconds. */
export function zipped(entries: readonly Entry[], time: number): Uint8Array {
  const files: Zippable = {};
  for (const { path, data, executable } of entries) {
    const attrs = (executable ? 0o100755 : 0o100644) << 16;
    files[path] = [data, { level: 9, mtime: local(time), os: 3, attrs }];
  }
  return zipSync(files);
}

/** A zip has the fields of a local time, and no zone: here they are those of UTC, wherever it is made. */
function local(time: number): Date {
  const utc = new Date(time * 1000);
  return new Date(
    utc.getUTCFullYear(),
    utc.getUTCMonth(),
    utc.getUTCDate(),
    utc.getUTCHours(),
    utc.getUTCMinutes(),
    utc.getUTCSeconds(),
  );
}
