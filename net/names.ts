/** Names of hosts: their addresses, and a connection to the first of them that answers. */

import { errno, Failure, Unreachable } from "../base/errors.ts";
import { unlessAborted } from "../base/time.ts";
import type { Family, Way } from "./stream.ts";

/** How long an address may be silent before the next one of the same name is tried beside it (RFC 8305, 5). */
const ATTEMPT_DELAY_MS = 250;

/** How to make a connection to one IP address, and how to be rid of one that came too late. */
export interface Attempt<C> {
  open(ip: string, signal: AbortSignal): Promise<C>;
  /** Waits for the resolver, which is the business of Deno's event loop. */
  awaits?(lookup: Promise<readonly string[]>): Promise<readonly string[]>;
  close(connection: C): void;
}

/**
 * A connection to the first of the host's addresses that answers, in the order of the resolver; where `way` has a
 * family, to one of that. Deno 2.7 itself would try none but the first. Throws Unreachable when all addresses of a name
 * have failed; gives up when `signal` aborts.
 */
export async function firstToAnswer<C>(
  host: string,
  way: Way,
  signal: AbortSignal,
  { open, close, awaits = (lookup) => lookup }: Attempt<C>,
): Promise<C> {
  if (isIp(host)) {
    try {
      return await open(host, signal);
    } catch (error) {
      throw connectFault(way, error);
    }
  }
  const ips = await awaits(addressesOf(host, way.family, signal));
  const { promise, resolve, reject } = Promise.withResolvers<C>();
  const won = new AbortController();
  const either = AbortSignal.any([signal, won.signal]);
  const faults = new Map<string, unknown>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waiting = ips.values();
  const tryNext = () => {
    clearTimeout(timer);
    const { value: ip } = waiting.next();
    if (ip === undefined) return;
    timer = setTimeout(tryNext, ATTEMPT_DELAY_MS);
    open(ip, either).then(
      (connection) => {
        if (won.signal.aborted) return close(connection);
        won.abort();
        resolve(connection);
      },
      (error) => {
        faults.set(ip, signal.aborted ? new Error("no answer") : connectFault(way, error));
        if (faults.size === ips.length) reject(new Unreachable(faults));
        else if (!won.signal.aborted) tryNext();
      },
    );
  };
  tryNext();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

const NO_SOURCE =
  "this machine has no port free for it, or no address that leads there; wait until closed connections are forgotten";
/** What connect(2) means by what means something else for a listener. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: NO_SOURCE,
  EADDRINUSE: NO_SOURCE, // so Windows says it
  EACCES: "not permitted by the system; a firewall rule forbids it, or it is an address of many (broadcast)",
};

/** The error of a socket that was to be connected this way, in words that say what connect(2) means by it. */
export function connectFault({ source }: Way, error: unknown): unknown {
  const code = errno(error);
  // Deno's node:net calls it EINVAL, and names the call.
  const unbound = (error as { readonly syscall?: unknown }).syscall === "bind" || code === "EADDRNOTAVAIL";
  if (source !== undefined && unbound) {
    return new Failure(`this machine has no address ${source}; see --source`, { cause: error });
  }
  const why = REASONS[code];
  return why === undefined ? error : new Failure(why, { cause: error });
}

/**
 * The IP addresses of a host, of this family where one is given, without repetition, in the order of the resolver.
 * Rejects when the name does not resolve or has none of the family, or `signal` aborts before it resolves.
 */
export async function addressesOf(
  host: string,
  family: Family | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (isIp(host)) return [host];
  const { lookup } = await import("node:dns/promises");
  const found = await unlessAborted(signal, lookup(host, { all: true, verbatim: true }), () => {
    const name: unknown = signal.reason;
    throw new Error(
      typeof name === "string" ? `interrupted by ${name}` : "the name does not resolve in time",
    );
  });
  const ips = new Set(found.map(({ address }) => address));
  const fitting = [...ips].filter((ip) => family === undefined || familyOf(ip) === family);
  if (fitting.length > 0) return fitting;
  throw new Failure(`the name has no IPv${family} address, only ${[...ips].join(", ")}`);
}

/** Of an IP address. */
export function familyOf(ip: string): Family {
  return ip.includes(":") ? 6 : 4;
}

/** A name, in an address that was parsed, never ends in a number. */
export function isIp(host: string): boolean {
  return /:|\.\d+$/.test(host);
}
