/** Unix sockets (unix(7)): a stale socket file is replaced, a live one refused, any other file never touched. */

import { showAddress, type UnixAddress } from "../cli/address.ts";
import { errno, Failure, failure } from "./errors.ts";
import type { Listener, ListenOptions, Transport } from "./stream.ts";

export function unix(address: UnixAddress): Transport {
  return {
    listen: (options) => listen(address, options),
    dial: async (_options, _signal) => {
      try {
        return { stream: await Deno.connect({ transport: "unix", path: address.path }), details: [] };
      } catch (error) {
        throw failure("connect to", showAddress(address), error);
      }
    },
  };
}

async function listen(address: UnixAddress, { socketMode }: ListenOptions): Promise<Listener> {
  const { path } = address;
  let bound: Bound;
  try {
    await clear(path);
    bound = bind(path, socketMode);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw failure("listen on", showAddress(address), error);
  }
  return {
    address: showAddress(address),
    async accept() {
      return { stream: await bound.listener.accept(), peer: showAddress(address) };
    },
    close() {
      bound.listener.close();
      if (sameFile(bound.file, lstat(path))) Deno.removeSync(path);
    },
  };
}

interface Bound {
  readonly listener: Deno.UnixListener;
  readonly file: Deno.FileInfo;
}

/**
 * Binds in a folder that only we may enter, sets the mode there, and links the socket to `path`: so nobody ever
 * meets it with another mode, a link never replaces anything, and Deno, which at the end removes the name that it
 * bound, cannot take away a socket that another server has put at `path` meanwhile.
 */
function bind(path: string, mode: number | undefined): Bound {
  const folder = Deno.makeTempDirSync({ dir: path.replace(/[^/]*$/, "") || ".", prefix: ".echo" });
  const own = `${folder}/s`;
  try {
    const listener = Deno.listen({ transport: "unix", path: own });
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

/** Removes a socket that nobody listens on any more. */
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
