/** What of the system's libraries this thread may open. */

import { LIBC_PATHS } from "../../net/libc/paths.ts";

const LIBC = LIBC_PATHS.find(exists) ?? "";
/** Where libc is, and another library beside it. */
export const LIBRARIES = [LIBC, LIBC.replace("libc.so", "libm.so")];

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Tries to open it: `libc.so.6 opened`, or the name of the error. */
export function opened(path: string): string {
  const name = path.replace(/.*\//, "");
  try {
    Deno.dlopen(path, {}).close();
    return `${name} opened`;
  } catch (error) {
    return `${name} ${(error as Error).name}`;
  }
}
