/** What the sockets of node:net and node:tls have in common on both sides of a connection (Deno 2.9). */

import type { Socket } from "node:net";
import { Failure } from "../../base/errors.ts";
import { printable } from "../../base/escape.ts";
import type { Flow } from "../socket_stream.ts";

/**
 * A TLS socket of Deno 2.9.6 that is paused goes on to receive, without limit, and loses the end of the stream that
 * comes meanwhile. So the socket underneath is stopped instead, by the handle through which Node does that. It also
 * takes a reset for the end: only the kernel knows that there is no peer any more.
 */
export function flowOf(socket: Socket): Flow {
  const { _handle: handle } = socket as Socket & {
    readonly _handle?: {
      readStop?(): void;
      readStart?(): void;
      getpeername?(into: object): number;
    } | null;
  };
  if (!handle?.readStop || !handle.readStart || !handle.getpeername) {
    throw new Failure("TLS: the connection has ended, or this Deno has another node:net than is known here");
  }
  return {
    pause: () => handle.readStop?.(),
    resume: () => handle.readStart?.(),
    isReset: () => handle.getpeername?.({}) !== 0,
  };
}

/** A name from a certificate, in one line that a terminal shows and does not obey. */
export function shown(name: string): string {
  return printable(new TextEncoder().encode(name.replaceAll("\n", ", ")));
}
