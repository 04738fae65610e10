/** A TCP connection, of which the kernel tells more than its bytes. */

import type { KernelView } from "../../base/kernel_view.ts";
import * as libc from "./libc.ts";
import { StreamSocket } from "./sockets.ts";

/** Where the figures stand in struct tcp_info (linux/tcp.h); each has 32 bits. Times are microseconds. */
const AT = { mss: 16, pathMtu: 60, rtt: 68, rttVar: 72, retransmits: 100 } as const;
const SIZE = 104;

const info = new Uint8Array(SIZE);
const figures = new DataView(info.buffer);

/** See `StreamSocket`. */
export class TcpStream extends StreamSocket {
  /** See `Stream`. */
  kernelView(): KernelView | undefined {
    if (this.closed || libc.tcpInfo(this.fd, info) < SIZE) return undefined;
    const at = (name: keyof typeof AT) => figures.getUint32(AT[name], true);
    return {
      rtt: at("rtt") / 1000,
      rttVar: at("rttVar") / 1000,
      retransmits: at("retransmits"),
      mss: at("mss"),
      pathMtu: at("pathMtu"),
    };
  }
}
