/** Unix sockets (unix(7)): a stale socket file is replaced, a live one refused, any other file never touched. */

import { showAddress, type UnixAddress } from "../base/address.ts";
import { errno, Failure, failure } from "../base/errors.ts";
import { PLATFORM } from "../base/platform.ts";
import type { Listener, ListenOptions, Stream, Transport } from "./stream.ts";

/** How a socket is opened, whoever does it. */
export interface UnixSockets {
  /** Listens at a path where there is nothing. */
  listen(path: string): UnixListener;
  connect(path: string, signal: AbortSignal): Promise<Stream>;
}

/** A socket that listens. */
export interface UnixListener {
  accept(): Promise<Stream>;
  close(): void;
}

const DENO: UnixSockets = {
  listen: (path) => Deno.listen({ transport: "unix", path }), // of a backlog of 1,024, without an option
  connect: (path) => Deno.connect({ transport: "unix", path }),
};

/** Stream sockets in the file system: unix(7). */
export function unix(address: UnixAddress, sockets = DENO): Transport {
  return {
    listen: (options) => listen(address, options, sockets),
    dial: async (_options, signal) => {
      try {
        return { stream: await sockets.connect(address.path, signal), peer: undefined, details: [] };
      } catch (error) {
        throw failed("connect to", address, error);
      }
    },
  };
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied; look at the owner and the mode of the socket and its folder",
  EAGAIN: "too many wait to be accepted by the server there",
  ECONNREFUSED: "nothing listens there; if it is a socket, its server is gone",
  EEXIST: "another server has just taken it",
  ENOENT: "there is no such socket, or no such folder",
};

/** net/errors.ts has the reasons of a network: ports, firewalls. */
function failed(action: string, address: UnixAddress, error: unknown): Failure {
  if (error instanceof Failure) return error;
  return failure(action, showAddress(address), REASONS[errno(error)] ?? error);
}

async function listen(
  address: UnixAddress,
  { socketMode }: ListenOptions,
  sockets: UnixSockets,
): Promise<Listener> {
  const { path } = address;
  let bound: Bound;
  try {
    await clear(path);
    bound = bind(path, socketMode, sockets);
  } catch (error) {
    throw failed("listen on", address, error);
  }
  return {
    address: showAddress(address),
    async accept() {
      return { stream: await bound.listener.accept(), peer: showAddress(address) };
    },
    close() {
      // While the socket is open nothing else can have its inode. No call of the system looks and removes at once.
      try {
        if (sameFile(bound.file, lstat(path))) Deno.removeSync(path);
      } catch { /* we no longer may: it stays behind, and the next server replaces it */ }
      bound.listener.close();
    },
  };
}

interface Bound {
  readonly listener: UnixListener;
  readonly file: Deno.FileInfo;
}

/**
 * Binds in a folder that only we may enter, sets the mode there, and links the socket to `path`: so nobody ever
 * meets it with another mode, a link never replaces anything, and Deno, which at the end removes the name that it
 * bound, cannot take away a socket that another server has put at `path` meanwhile.
 */
function bind(path: string, mode: number | undefined, sockets: UnixSockets): Bound {
  const folder = makeFolder(path.replace(/[^/]*$/, ""));
  const own = `${folder}/s`;
  try {
    const listener = sockets.listen(own);
    try {
      if (mode !== undefined) Deno.chmodSync(own, mode);
      Deno.linkSync(own, path);
      return { listener, file: Deno.lstatSync(path) };
    } catch (error) {
      listener.close();
      throw error;
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A folder of our own; its name is short, since all of it counts to the path, for which a socket has but 107 bytes. */
function makeFolder(inside: string): string {
  for (let tries = 1;; tries++) {
    const folder = `${inside}.${Math.random().toString(36).slice(2, 5)}`;
    if (new TextEncoder().encode(folder).length > PLATFORM.socketPath - "/s".length) {
      throw new Failure(
        `cannot make a socket in ${inside}: its path is too long for one; take a shorter path`,
      );
    }
    try {
      Deno.mkdirSync(folder, { mode: 0o700 });
      return folder;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists) || tries === 100) throw error;
    }
  }
}

/**
 * Removes a socket that nobody listens on any more. The limit of this: macOS, by its manual pages, refuses too where a
 * live server has as many waiting as it takes.
 */
async function clear(path: string): Promise<void> {
  const file = lstat(path);
  if (file === undefined) return;
  if (!file.isSocket) {
    throw new Failure(
      `cannot listen on unix:${path}: there is a file that is no socket; remove it, or take another path`,
    );
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (errno(error) !== "ECONNREFUSED") throw error;
    if (sameFile(file, lstat(path))) Deno.removeSync(path);
    return;
  }
  throw new Failure(`cannot listen on unix:${path}: a live server has it; stop it, or take another path`);
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function sameFile(a: Deno.FileInfo, b: Deno.FileInfo | undefined): boolean {
  return b !== undefined && a.ino === b.ino && a.dev === b.dev;
}
