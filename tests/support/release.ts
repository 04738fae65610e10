/** A small release: an archive for each system whose program is a shell script, and a server that has it. */

import { packageFiles, readSums } from "../../tools/release/managers.ts";
import { TARGETS } from "../../tools/runtime/targets.ts";
import { shell } from "./commands.ts";

/** Those whose archive is a tar. */
const UNIX = TARGETS.filter((target) => !target.includes("windows"));

/**
 * The files of a release by their names on its page, as bytes. Its program prints its version and its target, unless
 * `program` is another one; its Windows archive is no zip.
 */
export async function makeRelease(version: string, program?: string): Promise<Map<string, Uint8Array>> {
  const folder = await Deno.makeTempDir();
  try {
    for (const target of UNIX) {
      const name = `netecho-${version}-${target}`;
      await Deno.mkdir(`${folder}/${name}`);
      const text = program ?? `#!/bin/sh\n[ "$1" = --version ] && echo "netecho ${version} ${target}"\n`;
      await Deno.writeTextFile(`${folder}/${name}/netecho`, text, { mode: 0o755 });
      await shell(`tar -czf ${name}.tar.gz ${name} && rm -r ${name}`, folder);
    }
    await Deno.writeTextFile(`${folder}/netecho-${version}-x86_64-pc-windows-msvc.zip`, version);
    const sums = await shell("sha256sum netecho-*", folder);
    await Deno.writeTextFile(`${folder}/SHA256SUMS`, sums);
    const made = packageFiles(version, readSums(sums));
    await Deno.writeTextFile(`${folder}/install.sh`, made.get("install.sh") ?? "");
    return new Map(
      [...Deno.readDirSync(folder)].map(({ name }) => [name, Deno.readFileSync(`${folder}/${name}`)]),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Serves files by their path over HTTP/1.1, and counts what was asked for. With a length in `claimed` it promises
 * that many bytes of a path, and closes after those that there are.
 */
export class FileServer implements Disposable {
  readonly files = new Map<string, Uint8Array>();
  readonly claimed = new Map<string, number>();
  readonly asked: string[] = [];

  constructor(private readonly listener: Deno.Listener<Deno.TcpConn | Deno.TlsConn>) {
    this.#accept();
  }

  get port(): number {
    return (this.listener.addr as Deno.NetAddr).port;
  }

  /** Lays the files of a release where its page has them. */
  add(version: string, release: ReadonlyMap<string, Uint8Array>): void {
    for (const [name, bytes] of release) this.files.set(`/releases/download/v${version}/${name}`, bytes);
  }

  async #accept(): Promise<void> {
    for (;;) {
      try {
        this.#answer(await this.listener.accept()).catch(() => {});
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        // A client that refuses the certificate.
      }
    }
  }

  async #answer(conn: Deno.Conn): Promise<void> {
    try {
      const request = new Uint8Array(8192);
      let length = 0;
      while (!new TextDecoder().decode(request.subarray(0, length)).includes("\r\n\r\n")) {
        const n = await conn.read(request.subarray(length));
        if (n === null) return;
        length += n;
      }
      const path = new TextDecoder().decode(request.subarray(0, length)).split(" ")[1] ?? "";
      this.asked.push(path);
      const body = this.files.get(path);
      const status = body === undefined ? "404 Not Found" : "200 OK";
      const promised = this.claimed.get(path) ?? body?.length ?? 0;
      const head = `HTTP/1.1 ${status}\r\nContent-Length: ${promised}\r\nConnection: close\r\n\r\n`;
      await new Blob([head, (body ?? new Uint8Array()) as BlobPart]).stream().pipeTo(conn.writable);
    } finally {
      try {
        conn.close();
      } catch { /* the stream closed it */ }
    }
  }

  [Symbol.dispose](): void {
    this.listener.close();
  }
}
