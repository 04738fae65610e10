/** What the flags and operands of every client command mean. */

import type { DialOptions } from "../net/stream.ts";
import { type Address, DEFAULT_PORT, parseAddress, type Scheme } from "./address.ts";
import { showSize, UsageError } from "./units.ts";

/** The largest payload of a UDP datagram over IPv4: 65,535 bytes less the headers. */
const LARGEST_DATAGRAM = 65_507;

/** The one address among the operands, with the default host. Throws UsageError if there are more. */
export function target(operands: readonly string[]): Address {
  const [text, surplus] = operands;
  if (surplus !== undefined) {
    throw new UsageError(`one address is enough, and ${JSON.stringify(surplus)} is one more`);
  }
  const address = text === undefined ? { scheme: "tcp", port: DEFAULT_PORT } as const : parseAddress(text);
  return address.scheme === "unix" ? address : { host: "127.0.0.1", ...address };
}

/** How to make a connection. */
export function dialOptions(): DialOptions {
  return { tls: { insecure: false } };
}

/** Throws UsageError if no message of this size can be sent. */
export function messageSize(bytes: number, scheme: Scheme): number {
  if (bytes < 1) throw new UsageError("--size: a message has at least 1 byte");
  if (scheme === "udp" && bytes > LARGEST_DATAGRAM) {
    throw new UsageError(`--size: a datagram takes ${LARGEST_DATAGRAM} bytes, and not ${showSize(bytes)}`);
  }
  return bytes;
}
