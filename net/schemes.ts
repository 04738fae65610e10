/** The transports, chosen once by the scheme of an address and the engine. */

import type { StreamAddress } from "../base/address.ts";
import { type OpenDatagrams, openDatagrams } from "./datagram_service.ts";
import type { Engine } from "./engine.ts";
import type { Transport } from "./stream.ts";
import { tcp } from "./tcp.ts";
import { tls } from "./tls/tls.ts";
import { unix } from "./unix.ts";

/** The transport of this address. TLS is Deno's on every engine. */
export function transport(address: StreamAddress, engine: Engine): Transport {
  const epoll = engine === "epoll";
  switch (address.scheme) {
    case "tcp":
      return epoll ? loaded(async () => (await import("./libc/tcp.ts")).tcp(address)) : tcp(address);
    case "tls":
      return tls(address);
    case "unix":
      return epoll
        ? loaded(async () => unix(address, (await import("./libc/unix.ts")).sockets))
        : unix(address);
  }
}

/** How a server opens a socket for datagrams. */
export function datagrams(engine: Engine): OpenDatagrams {
  if (engine !== "epoll") return openDatagrams;
  return async (hostname, port) => await (await import("./libc/datagrams.ts")).openDatagrams(hostname, port);
}

/** A transport whose module is loaded when it is needed: libc is opened by no other run. */
function loaded(load: () => Promise<Transport>): Transport {
  return {
    listen: async (options) => await (await load()).listen(options),
    dial: async (options, signal) => await (await load()).dial(options, signal),
  };
}
