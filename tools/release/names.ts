/** What the parts of a release are called, for all who make, test and publish them. */

import { fileURLToPath } from "node:url";
import type { Target } from "../runtime/targets.ts";
import config from "../../deno.json" with { type: "json" };

/** What the program is called where it is installed: on a PATH `echo` is the shell's own word. */
export const NAME = "netecho";

/** The version of deno.json. */
export const VERSION: string = config.version;

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Where a release is made: what is published, and a folder beside each archive with what is in it. */
export const DIST = `${ROOT}dist`;

/** The sums of all that is published, as `sha256sum --check` reads them. */
export const SUMS = "SHA256SUMS";

/** What the program consists of, as CycloneDX. */
export const SBOM = `${NAME}-${VERSION}.cdx.json`;

function isWindows(target: Target): boolean {
  return target.includes("windows");
}

/** The folder in the archive for a target. */
export function folderOf(target: Target, version = VERSION): string {
  return `${NAME}-${version}-${target}`;
}

/** The archive for a target. */
export function archiveOf(target: Target, version = VERSION): string {
  return `${folderOf(target, version)}${isWindows(target) ? ".zip" : ".tar.gz"}`;
}

/** The program in its folder. */
export function programOf(target: Target): string {
  return `${folderOf(target)}/${NAME}${isWindows(target) ? ".exe" : ""}`;
}
