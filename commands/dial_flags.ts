/** What several commands have in common: words of their help, and the flags of a TLS client. */

import { type Scheme, traits } from "../base/schemes.ts";
import { type Address, DEFAULT_PORT, isEncrypted, isPort, parseAddress, withHost } from "../base/address.ts";
import { checkProxyClient, checkTls } from "./checks.ts";
import { type Command, type Flags, optional, type Options, parse, toggle } from "../cli/flags.ts";
import { help } from "../cli/help.ts";
import { print, reportWidth } from "../cli/output.ts";
import { count, duration, LARGEST_DATAGRAM, LONGEST_MS, oneOf, orOff, UsageError } from "../base/units.ts";
import type { DialOptions } from "../net/stream.ts";
import { HAS_NODE_TLS, readClientTls } from "../net/tls/tls.ts";

export const ADDRESS =
  "ADDRESS is [SCHEME://]host[:port], :port, a port, [v6]:port, or unix:/path; the default port is 8890.";
export const SCHEMES = "SCHEME is tcp (the default), tls or udp.";
export const DURATION = "D is a duration: 250ms, 5s, 2m, 1h30m; a bare number is seconds.";
export const SIZE = "SIZE is 64, 64k, 1M or 1MiB, in powers of 1024; 64kB and 1MB are of 1000.";
export const EXIT_CODES =
  "Exit codes: 0 all came back right, 1 the network or the other end failed, 2 the command line was wrong.";

/** How long to wait for an answer: 0 and off are the longest wait that there is. */
export const timeout = orOff(duration, LONGEST_MS);

/** `auto` is as many as the machine has processors. */
export function workers(text: string): number | "auto" {
  if (text === "auto") return text;
  const n = count(text);
  const most = Math.max(MOST_WORKERS, MOST_WORKERS_A_CORE * navigator.hardwareConcurrency);
  if (n > most) {
    throw new UsageError(
      `${text} threads are too many; at most ${most} are run here, and auto is one a core`,
    );
  }
  return n;
}

/** A worker takes some 10 MB; more of them than a few a core do nothing better. */
const MOST_WORKERS = 64;
const MOST_WORKERS_A_CORE = 4;

/** `0`, `10`, `10k`. */
export function seed(text: string): number {
  return text === "0" ? 0 : count(text);
}

/** What a client trusts and shows over TLS. */
const tlsFlags = {
  ca: optional("ca", "FILE", String, "tls: the CA to trust, in PEM (default: the system's)"),
  serverName: optional(
    "server-name",
    "NAME",
    String,
    "tls: whose certificate it must be (default: the host)",
  ),
  cert: optional("cert", "FILE", String, "tls: a certificate to show, in PEM"),
  key: optional("key", "FILE", String, "tls: the private key of --cert, in PEM"),
  insecure: toggle("insecure", "tls: trust any certificate"),
  fingerprint: optional(
    "fingerprint",
    "SHA256",
    fingerprint,
    "tls: trust the certificate of this SHA-256 alone",
  ),
} satisfies Flags;

/** What every command takes that makes connections. */
export const dialFlags = {
  ...tlsFlags,
  proxyProtocol: optional(
    "proxy-protocol",
    "V",
    oneOf("v1", "v2"),
    "send a PROXY header first, as a proxy would",
  ),
} satisfies Flags;

export const jsonFlag = toggle("json", "print one JSON object a line and nothing else");

const NO_FILES = { pair: undefined, ca: undefined };

/** How to make a connection to this address. Throws UsageError, reads the files that the flags name. */
export async function dialOptions(
  options: Options<typeof dialFlags>,
  address: Address,
): Promise<DialOptions> {
  const { proxyProtocol, cert, key, ca, serverName, insecure, fingerprint } = options;
  checkProxyClient(proxyProtocol, address);
  checkTls(
    { cert, key, ca, "server-name": serverName, insecure, fingerprint },
    [address],
    HAS_NODE_TLS ? [] : ["cert", "insecure", "fingerprint"],
  );
  const files = isEncrypted(address) ? await readClientTls({ cert, key, ca }) : NO_FILES;
  return {
    tls: { ...files, serverName, insecure, fingerprint },
    preamble: proxyProtocol,
  };
}

/** The one address among the operands, with the default host. Throws UsageError if there are more. */
export function target(operands: readonly string[]): Address {
  const [text, surplus] = operands;
  if (surplus !== undefined) {
    const hint = isPort(surplus) ? `; the port is part of the address: ${text}:${surplus}` : "";
    throw new UsageError(`one address is enough, and ${JSON.stringify(surplus)} is one more${hint}`);
  }
  const address = text === undefined ? { scheme: "tcp", port: DEFAULT_PORT } as const : parseAddress(text);
  return withHost(address);
}

/** Throws UsageError if no message of this size can be sent. */
export function messageSize(bytes: number, scheme: Scheme): number {
  if (bytes < 1) throw new UsageError("--size: a message has at least 1 byte");
  if (traits(scheme).datagrams && bytes > LARGEST_DATAGRAM) {
    throw new UsageError(`--size: a datagram takes ${LARGEST_DATAGRAM} bytes, and not ${bytes}`);
  }
  return bytes;
}

/** Least privilege: gives up, to the end of the process, what this run does not need. */
export function dropPermissions(...names: ("read" | "write")[]): void {
  for (const name of names) Deno.permissions.revokeSync({ name });
}

/** Reads the words of a command, or prints its help and exits. Throws UsageError; Failure when nothing can be printed. */
export async function parseOrHelp<F extends Flags>(
  command: Command<F>,
  words: string[],
): Promise<{ options: Options<F>; operands: string[] }> {
  const end = words.indexOf("--");
  const before = words.slice(0, end === -1 ? undefined : end);
  if (before.includes("--help") || before.includes("-h")) {
    await print(`${help(command, reportWidth())}\n`);
    Deno.exit(0);
  }
  return parse(command, words);
}

/** As openssl and browsers show it, too. Returns upper-case hex with colons, as Deno does. */
function fingerprint(text: string): string {
  const pairs = text.replaceAll(":", "").toUpperCase().match(/[\dA-F]{2}/g) ?? [];
  if (!/^([\dA-Fa-f]{2}:?){31}[\dA-Fa-f]{2}$/.test(text)) {
    throw new UsageError(
      `${JSON.stringify(text)} is not a SHA-256; that is 64 hex digits, with or without colons`,
    );
  }
  return pairs.join(":");
}
