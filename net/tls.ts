/** TLS (RFC 8446) over TCP. */

import type { NetAddress } from "../cli/address.ts";
import type { Transport } from "./stream.ts";

/** What a server shows and asks for. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
}

/** What a client trusts and shows. */
export interface ClientTls {
  readonly insecure: boolean;
}

export function tls(_address: NetAddress): Transport {
  throw new Error("not yet");
}
