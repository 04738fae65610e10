/** What the program consists of, for those who look for known flaws in it: CycloneDX 1.6 (ECMA-424). */

import { createHash } from "node:crypto";
import type { Compiler } from "./denos.ts";
import { NAME, VERSION } from "./names.ts";
import type { Package } from "./packages.ts";

type Json = string | number | readonly Json[] | { readonly [key: string]: Json };

/** The text of the SBOM; `time` in seconds. It is the same for the same arguments, its serial number too. */
export function sbom(packages: readonly Package[], { deno, v8 }: Compiler, time: number): string {
  const program = { ...component("application", NAME, VERSION, "MIT"), "bom-ref": NAME };
  const runtime = {
    ...component("platform", "deno", deno, "MIT"),
    "bom-ref": "deno",
    purl: `pkg:github/denoland/deno@v${deno}`,
    cpe: `cpe:2.3:a:deno:deno:${deno}:*:*:*:*:*:*:*`,
  };
  const engine = {
    ...component("library", "v8", v8, "BSD-3-Clause"),
    "bom-ref": "v8",
    purl: `pkg:github/v8/v8@${v8.replace(/-.*/, "")}`,
    cpe: `cpe:2.3:a:google:v8:${v8.replace(/-.*/, "")}:*:*:*:*:*:*:*`,
  };
  const direct = packages.filter(({ direct }) => direct).map(({ id }) => id);
  const content = {
    metadata: { timestamp: new Date(time * 1000).toISOString(), component: program },
    components: [runtime, engine, ...packages.map(componentOf)],
    dependencies: [
      { ref: NAME, dependsOn: ["deno", ...direct.map(purl)] },
      { ref: "deno", dependsOn: ["v8"] },
      { ref: "v8" },
      ...packages.map(({ id, dependencies }) => ({ ref: purl(id), dependsOn: dependencies.map(purl) })),
    ],
    // Of the crates that Deno is linked from, and the libraries in V8, there is no list here.
    compositions: [
      { aggregate: "complete", dependencies: [NAME, ...packages.map(({ id }) => purl(id))] },
      { aggregate: "incomplete", dependencies: ["deno", "v8"] },
    ],
  };
  const head = { bomFormat: "CycloneDX", specVersion: "1.6", serialNumber: serial(content), version: 1 };
  return `${JSON.stringify({ ...head, ...content }, null, 2)}\n`;
}

function component(type: string, name: string, version: string, licence: string) {
  const isOne = /^[\w.+-]+$/.test(licence);
  return {
    type,
    name,
    version,
    licenses: isOne ? [{ license: { id: licence } }] : [{ expression: licence }],
  };
}

function componentOf({ id, name, version, licence, sha512 }: Package): Json {
  const content = Uint8Array.from(atob(sha512), (char) => char.charCodeAt(0));
  return {
    ...component("library", name, version, licence),
    "bom-ref": purl(id),
    purl: purl(id),
    hashes: [{ alg: "SHA-512", content: content.toHex() }],
  };
}

/** A package URL (ECMA-427), in which the `@` of a scope is escaped. */
function purl(id: string): string {
  return `pkg:npm/${id.replace(/^@/, "%40")}`;
}

/** A UUID (RFC 9562, version 8) from what it is the number of. */
function serial(content: Json): string {
  const digits = createHash("sha256").update(JSON.stringify(content)).digest("hex");
  const [, a, b, c, d, e] = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(digits) ?? [];
  return `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`;
}
