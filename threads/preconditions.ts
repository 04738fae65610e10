/** What must be so before threads are started. */

import { isShareable } from "../base/address.ts";
import { Failure, isOutOfDescriptors, reason } from "../base/errors.ts";
import { openNull } from "../base/platform.ts";
import { bind } from "../net/tcp.ts";
import type { ServeOptions } from "../server/service.ts";

/** A thread takes some eight descriptors at its start, and Deno panics where it finds fewer. */
const DESCRIPTORS = 32;

/** Throws Failure where another server listens: with SO_REUSEPORT the two would share the clients without a word. */
export async function checkVacant(addresses: ServeOptions["addresses"]): Promise<void> {
  const probes: Deno.Listener[] = [];
  try {
    for (const address of addresses) {
      if (!isShareable(address)) continue;
      const { port } = address;
      if (port !== 0) probes.push(await bind(address, (hostname) => Deno.listen({ hostname, port })));
    }
  } finally {
    for (const probe of probes) probe.close();
  }
}

/** Throws Failure where there are too few for a thread. */
export function checkDescriptors(): void {
  const held: (Deno.FsFile | undefined)[] = [];
  try {
    while (held.length < DESCRIPTORS) held.push(openNull());
  } catch (error) {
    if (isOutOfDescriptors(error)) throw new Failure(`cannot start a worker: ${reason(error)}`);
  } finally {
    for (const file of held) file?.close();
  }
}
