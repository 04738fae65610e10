/** Where the usual distributions have glibc; the permissions of deno.json name the same paths, and no others. */

const PATHS: Readonly<Record<string, readonly string[]>> = {
  x86_64: ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"],
  aarch64: ["/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"],
};

/** The paths of this machine's processor, in the order in which they are tried. */
export const LIBC_PATHS = PATHS[Deno.build.arch] ?? [];
