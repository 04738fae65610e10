/** Makes a line to an address of any scheme. */

import { type Address, isDatagram } from "../base/address.ts";
import { Messages } from "./messages.ts";
import type { DialOptions } from "../net/stream.ts";
import { transport } from "../net/schemes.ts";
import type { SendWindow } from "../net/send_window.ts";
import type { Turns } from "../net/turns.ts";
import { openDatagrams } from "./datagram_line.ts";
import type { Line } from "./line.ts";
import { StreamLine } from "./stream_line.ts";

/** Where a line leads and what travels on it. */
export interface Route {
  readonly address: Address;
  readonly dial: DialOptions;
  /** Bytes a message. */
  readonly size: number;
  /** Milliseconds after which a message is lost. */
  readonly timeout: number;
  /** See StreamLine. */
  readonly window: number;
  /** Shared by all lines of a thread, if there may be many. */
  readonly turns?: Turns | undefined;
  /** See DatagramLine. */
  readonly sendWindow?: SendWindow | undefined;
}

/** Makes a line. `connection` chooses which bytes it sends. Throws Failure, also when `signal` aborts. */
export async function openLine(
  { address, dial, size, timeout, window, turns, sendWindow }: Route,
  block: Uint8Array<ArrayBuffer>,
  connection: number,
  signal: AbortSignal,
): Promise<Line> {
  const messages = new Messages(block, connection);
  if (isDatagram(address)) {
    return await openDatagrams(address, messages, { dial, size, timeout, sendWindow }, signal);
  }
  const dialled = await transport(address, dial.engine).dial(dial, signal);
  return new StreamLine(dialled, messages, size, window, turns);
}
