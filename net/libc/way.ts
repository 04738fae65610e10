/** Which way a socket's packets go: ip(7), ipv6(7), socket(7). */

import { Failure } from "../../base/errors.ts";
import type { Way } from "../stream.ts";
import { bindToDevice, FAMILY, interfaceIndex, setOption } from "./libc.ts";

/** Before the socket is bound or connected. Throws Failure where the system does not let it go that way. */
export function prepareWay(fd: number, family: number, { device, ttl, tos }: Way): void {
  const v6 = family === FAMILY.v6;
  if (device !== undefined) {
    if (interfaceIndex(device) === 0) {
      throw new Failure(`this machine has no network interface ${device}; see --interface`);
    }
    bindToDevice(fd, device);
  }
  if (ttl !== undefined) setOption(fd, v6 ? "hops" : "ttl", ttl);
  if (tos !== undefined) setOption(fd, v6 ? "trafficClass" : "tos", tos);
}
