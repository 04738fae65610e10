/** TCP connections by node:net, which can choose where they come from, as Deno.connect cannot. */

import { connect, type Socket } from "node:net";
import { DEFAULT_HOST, type NetAddress, showAddress, showPeer } from "../base/address.ts";
import { Failure, failure } from "../base/errors.ts";
import { firstToAnswer } from "./names.ts";
import { encodeHeader } from "./proxy/header.ts";
import { SocketStream } from "./socket_stream.ts";
import type { Preamble, Way } from "./stream.ts";

/** What of every socket, accepted or connected, is asked. */
export const TUNING = { noDelay: true, keepAlive: true, allowHalfOpen: true };

/** A TCP connection on which the preamble is sent, and who is at the other end. */
export async function reach(
  host: string,
  port: number,
  preamble: Preamble | undefined,
  way: Way,
  signal: AbortSignal,
): Promise<{ stream: SocketStream; peer: string }> {
  const socket = await firstToAnswer(host, way, signal, {
    async open(ip, signal) {
      const from = way.source === undefined ? {} : { localAddress: way.source };
      const socket = connect({ ...TUNING, ...from, host: ip, port });
      await settled(socket, "connect", signal);
      return socket;
    },
    close: (socket) => void socket.destroy(),
  });
  const stream = new SocketStream(socket);
  const { localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 } = socket;
  if (preamble !== undefined) {
    const local = { hostname: localAddress, port: localPort };
    const remote = { hostname: remoteAddress, port: remotePort };
    await stream.write(encodeHeader(preamble, local, remote));
  }
  return { stream, peer: showPeer(remoteAddress, remotePort) };
}

/** Why no connection was made. */
export function undialled(address: NetAddress, error: unknown): Failure {
  const where = showAddress({ ...address, host: address.host ?? DEFAULT_HOST });
  return failure("connect to", where, error);
}

/** Waits for the event; when an error, the end or the signal comes first, the socket is destroyed. */
export async function settled(
  socket: Socket,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = () => reject(new Error("socket hang up"));
  const abort = () => reject(new Failure("interrupted"));
  socket.once(event, resolve);
  socket.once("error", reject);
  socket.once("close", end);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.off("close", end);
    signal.removeEventListener("abort", abort);
  }
}
