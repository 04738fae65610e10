/** The systems that there is a program for, by the names that `deno compile --target` takes. */

export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
] as const;

/** One of them. */
export type Target = typeof TARGETS[number];

/** The target of that name. Throws Error, which names all that there are. */
export function targetOf(name: string): Target {
  const target = TARGETS.find((known) => known === name);
  if (target === undefined) throw new Error(`unknown target ${name}; there are ${TARGETS.join(", ")}`);
  return target;
}
