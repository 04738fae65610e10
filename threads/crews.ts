/** Which threads serve which addresses. */

import { isEncrypted } from "../base/address.ts";
import type { ServeOptions } from "../server/service.ts";

/**
 * A server for each kind of address that cannot share a thread with the others: TLS is Deno's own on every engine, and
 * in a thread that blocks in epoll_wait it would wait for its turns.
 */
export function crewsOf(options: ServeOptions): ServeOptions[] {
  if (options.engine === "deno") return [options];
  const encrypted = options.addresses.filter(isEncrypted);
  const plain = options.addresses.filter((address) => !isEncrypted(address));
  const crews: ServeOptions[] = [
    { ...options, addresses: plain },
    { ...options, addresses: encrypted, engine: "deno" },
  ];
  return crews.filter(({ addresses }) => addresses.length > 0);
}
