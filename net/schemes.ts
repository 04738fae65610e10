/** The transports, chosen once by the scheme of an address. */

import type { StreamAddress } from "../base/address.ts";
import type { Transport } from "./stream.ts";
import { tcp } from "./tcp.ts";
import { tls } from "./tls/tls.ts";
import { unix } from "./unix.ts";

/** The transport of this address. */
export function transport(address: StreamAddress): Transport {
  switch (address.scheme) {
    case "tcp":
      return tcp(address);
    case "tls":
      return tls(address);
    case "unix":
      return unix(address);
  }
}
