/** The transports, chosen once by the scheme of an address and the engine. */

import type { StreamAddress } from "../base/address.ts";
import type { DatagramOptions, DatagramSocket } from "./datagram_socket.ts";
import { open as openByDeno } from "./deno_datagrams.ts";
import { type Engine, renounceLibc } from "./engine.ts";
import type { Transport } from "./stream.ts";
import { tcp } from "./tcp.ts";
import { tls } from "./tls/tls.ts";
import { unix } from "./unix.ts";

/** The transport of this address. TLS is Deno's on every engine. */
export function transport(address: StreamAddress, engine: Engine): Transport {
  const epoll = engine === "epoll";
  switch (address.scheme) {
    case "tcp":
      return epoll ? loaded(async () => (await libc.tcp()).tcp(address)) : tcp(address);
    case "tls":
      return tls(address);
    case "unix":
      return epoll ? loaded(async () => unix(address, (await libc.unix()).sockets)) : unix(address);
  }
}

/**
 * The modules of the engine epoll, loaded when they are needed, as libc is opened by no other run, and once: to import
 * one again would wait for a turn of Deno's event loop, in a thread that blocks for its own.
 */
const libc = {
  tcp: once(() => import("./libc/tcp.ts")),
  unix: once(() => import("./libc/unix.ts")),
  datagrams: once(() => import("./libc/datagrams.ts")),
};

function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => loading ??= load();
}

/** A transport of such a module. */
function loaded(load: () => Promise<Transport>): Transport {
  return {
    listen: async (options) => await (await load()).listen(options),
    dial: async (options, signal) => await (await load()).dial(options, signal),
  };
}

/** A UDP socket of this engine. */
export async function openDatagramSocket(engine: Engine, options: DatagramOptions): Promise<DatagramSocket> {
  if (engine === "deno") return openByDeno(options);
  return await (await libc.datagrams()).open(options);
}

/**
 * Opens what the engine needs in this thread, before anything is timed; after it neither that nor anything else can be
 * opened in it.
 */
export async function openEngine(engine: Engine): Promise<void> {
  if (engine === "epoll") await libc.tcp();
  else renounceLibc();
}
