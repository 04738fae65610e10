/** Who moves the bytes: Deno, or the system calls of Linux by an event loop of our own. */

import { PLATFORM } from "../base/platform.ts";
import { LIBC_PATHS } from "./libc/paths.ts";

/** What sets the engines apart. */
interface Traits {
  /** Busy connections would starve each other, unless they wait for their turns: see net/turns.ts. */
  readonly needsTurns: boolean;
  /** Its event loop blocks the thread, so that a server has threads for it, which are told of signals by messages. */
  readonly blocks: boolean;
}

const TRAITS = {
  deno: { needsTurns: true, blocks: false },
  epoll: { needsTurns: false, blocks: true },
} as const satisfies Record<string, Traits>;

/** One of them, by the name that a user gives. */
export type Engine = keyof typeof TRAITS;

/** All of them, the default first. */
export const ENGINES = Object.keys(TRAITS) as readonly Engine[];

/** The row of an engine. */
export function engineTraits(engine: Engine): Traits {
  return TRAITS[engine];
}

/** Why the engine epoll cannot be had in this thread, as half a sentence; undefined: it can. Opens nothing. */
export function epollObstacle(): string | undefined {
  if (!PLATFORM.hasEpoll) return `it is made of system calls of Linux, and this is ${PLATFORM.name}`;
  const present = LIBC_PATHS.filter(exists);
  if (present.length === 0) return `it needs glibc, and there is none at ${LIBC_PATHS.join(" or ")}`;
  return present.some(isGranted) ? undefined : `it needs --allow-ffi=${present[0]}, which is not granted`;
}

/**
 * What a thread of this engine may do: all that this one may, but that it may open libc alone, and that only if the engine
 * is epoll. It has a set of permissions of its own, so that what it gives up then is not lost to the thread that must
 * start it again after its death.
 */
export function threadPermissions(engine: Engine): Deno.PermissionOptions {
  return {
    env: "inherit",
    ffi: engine === "epoll" ? LIBC_PATHS.filter(isGranted) : false,
    net: "inherit",
    read: "inherit",
    run: "inherit",
    sys: "inherit",
    write: "inherit",
  };
}

/** Gives up the right to open libc, for the rest of the process: for whoever does not need it. */
export function renounceLibc(): void {
  Deno.permissions.revokeSync({ name: "ffi" });
}

function isGranted(path: string): boolean {
  return Deno.permissions.querySync({ name: "ffi", path }).state === "granted";
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
