/** TLS listeners by node:net and node:tls, for Deno 2.9 and later. */

import { createServer, type Server, type Socket } from "node:net";
import { type NetAddress, showAddress, showPeer } from "../../base/address.ts";
import { errno, Failure } from "../../base/errors.ts";
import { openNull, PLATFORM } from "../../base/platform.ts";
import type { Accepted, Endpoint, Listener, ListenOptions } from "../stream.ts";
import { BACKLOG, bind } from "../tcp.ts";
import { Handshakes } from "./node_handshakes.ts";
import { TUNING } from "../reach.ts";
import { SocketStream } from "../socket_stream.ts";

/** How often a listener is woken that may have run out of descriptors, one that has, and one that has just accepted. */
const WAKE_MS = 1000;
const SHORT_WAKE_MS = 50;
const NEXT_WAKE_MS = 5;

/** Throws Failure. */
export async function listen(address: NetAddress, { shared, tls }: ListenOptions): Promise<Listener> {
  if (tls === undefined) throw new Error("a tls address without a certificate");
  const handshakes = new Handshakes(tls);
  const arrivals = new Arrivals();
  const server = createServer({ ...TUNING, pauseOnConnect: true }, (socket) => {
    arrivals.add(socket);
    waker?.accepted();
  });
  await bind(address, (hostname) => listenAt(server, { hostname, port: address.port }, shared));
  const { address: host, port } = server.address() as { address: string; port: number };
  const waker = PLATFORM.nullDevice === undefined ? undefined : new Waker(server, arrivals);
  return {
    address: showAddress({ ...address, host, port }),
    accept() {
      waker?.accepting();
      return arrivals.next();
    },
    welcome: (accepted) => handshakes.run(accepted),
    renew: (tls) => handshakes.renew(tls),
    close() {
      waker?.close();
      server.close();
      arrivals.close();
    },
  };
}

/** Accepted connections, and failures to accept, for a loop that takes them one by one. */
class Arrivals {
  readonly #waiting: (Accepted | Error)[] = [];
  #next: PromiseWithResolvers<Accepted> | undefined;
  #closed = false;

  add(socket: Socket): void {
    const stream = new SocketStream(socket);
    socket.setKeepAlive(true); // Deno 2.9 does not heed the option
    const { remoteAddress, remotePort } = socket;
    if (this.#closed) return stream.close();
    if (remoteAddress !== undefined && remotePort !== undefined) {
      return this.#put({ stream, peer: showPeer(remoteAddress, remotePort) });
    }
    stream.close();
    this.#put(new Deno.errors.ConnectionReset());
  }

  next(): Promise<Accepted> {
    if (this.#closed) return Promise.reject(new Failure("the listener is closed"));
    this.#next = Promise.withResolvers();
    const { promise } = this.#next;
    const first = this.#waiting.shift();
    if (first !== undefined) this.#put(first);
    return promise;
  }

  /** The present wait ends with this error. */
  fail(error: unknown): void {
    this.#next?.reject(error);
    this.#next = undefined;
  }

  close(): void {
    this.#closed = true;
    for (const waiting of this.#waiting.splice(0)) {
      if (!(waiting instanceof Error)) waiting.stream.close();
    }
    this.fail(new Failure("the listener is closed"));
  }

  #put(arrival: Accepted | Error): void {
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) this.#waiting.push(arrival);
    else if (arrival instanceof Error) next.reject(arrival);
    else next.resolve(arrival);
  }
}

/** Rejects with an error that carries its errno. */
async function listenAt(server: Server, { hostname, port }: Endpoint, shared: boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  const ipv6Only = !PLATFORM.dualStack && hostname.includes(":"); // as Deno.listen has it there
  server.listen({ host: hostname, port, backlog: BACKLOG, reusePort: shared, ipv6Only }, resolve);
  try {
    await promise;
  } catch (error) {
    // Deno takes every failure to bind that it does not know for EINVAL.
    throw errno(error) === "EINVAL" ? Object.assign(new Error(), { code: "EADDRNOTAVAIL" }) : error;
  } finally {
    server.off("error", reject);
  }
}

/**
 * Deno 2.9.6 stops to accept, without a word, when it is out of descriptors. To listen once more on the same
 * handle wakes it (listen(2) changes nothing else); the server is told of the shortage as by any other listener.
 */
class Waker {
  readonly #server: Server;
  readonly #arrivals: Arrivals;
  #timer: ReturnType<typeof setTimeout>;
  #short = false;

  constructor(server: Server, arrivals: Arrivals) {
    this.#server = server;
    this.#arrivals = arrivals;
    this.#timer = setTimeout(() => this.#look(), WAKE_MS);
  }

  accepting(): void {
    if (this.#short) this.#listen();
  }

  /** Where one was accepted, more may wait: those of a burst are not accepted once the descriptors have run out. */
  accepted(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), NEXT_WAKE_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const shortage = descriptorShortage();
    this.#short = shortage !== undefined;
    this.#timer = setTimeout(() => this.#look(), this.#short ? SHORT_WAKE_MS : WAKE_MS);
    if (shortage === undefined) this.#listen();
    else this.#arrivals.fail(shortage);
  }

  #listen(): void {
    const { _handle: handle } = this.#server as Server & {
      readonly _handle?: { listen?(backlog: number): void };
    };
    handle?.listen?.(BACKLOG);
  }
}

function descriptorShortage(): unknown {
  try {
    openNull()?.close();
    return undefined;
  } catch (error) {
    return errno(error) === "EMFILE" || errno(error) === "ENFILE" ? error : undefined;
  }
}
