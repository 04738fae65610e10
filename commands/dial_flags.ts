/** What several commands have in common: words of their help, and the flags of a TLS client. */

import { type Scheme, traits } from "../base/schemes.ts";
import { type Address, DEFAULT_PORT, isEncrypted, isPort, parseAddress, withHost } from "../base/address.ts";
import { checkProxyClient, checkTls } from "./checks.ts";
import { type Command, type Flags, type Options, parse } from "../cli/flags.ts";
import { help } from "../cli/help.ts";
import { print, reportWidth } from "../cli/output.ts";
import { LARGEST_DATAGRAM, LONGEST_MS, UsageError } from "../base/units.ts";
import type { DialOptions } from "../net/stream.ts";
import { HAS_NODE_TLS, readClientTls } from "../net/tls/tls.ts";
import { engineOf, type packetFlags, wayFlags, wayOf } from "./way_flags.ts";

/** A note of the help. */
export const ADDRESS =
  "ADDRESS is [SCHEME://]host[:port], :port, a port, [v6]:port, or unix:/path; the default port is 8890.";
/** A note of the help. */
export const SCHEMES = "SCHEME is tcp (the default), tls or udp.";

/** What a client trusts and shows over TLS. */
const tlsFlags = {
  ca: { kind: "file", help: "tls: the CA to trust, in PEM (default: the system's)" },
  serverName: { kind: "name", help: "tls: whose certificate it must be (default: the host)" },
  cert: { kind: "file", help: "tls: a certificate to show, in PEM" },
  key: { kind: "file", help: "tls: the private key of --cert, in PEM" },
  insecure: { kind: "switch", help: "tls: trust any certificate" },
  fingerprint: { kind: "sha256", help: "tls: trust the certificate of this SHA-256 alone" },
} as const satisfies Flags;

/** What every command takes that makes connections. */
export const dialFlags = {
  ...tlsFlags,
  proxyProtocol: {
    kind: "choice",
    value: "V",
    of: ["v1", "v2"],
    help: "send a PROXY header first, as a proxy would",
  },
  ...wayFlags,
} as const satisfies Flags;

/** Its help is for each command to say. 0 and off are the longest wait that there is. */
export const timeout = { kind: "duration", none: LONGEST_MS, initial: "5s" } as const;
/** A run with the same seed sends the same bytes. */
export const seed = { kind: "seed", initial: "1", help: "of the random bytes that are sent" } as const;
/** For programs: JSON on stdout in place of text. */
export const json = { kind: "switch", help: "print one JSON object a line and nothing else" } as const;

const NO_FILES = { pair: undefined, ca: undefined };

/** How to make a connection to this address. Throws UsageError, reads the files that the flags name. */
export async function dialOptions(
  options: Options<typeof dialFlags> & Partial<Options<typeof packetFlags>>,
  address: Address,
): Promise<DialOptions> {
  const { proxyProtocol, cert, key, ca, serverName, insecure, fingerprint } = options;
  checkProxyClient(proxyProtocol, address);
  checkTls(
    { cert, key, ca, "server-name": serverName, insecure, fingerprint },
    [address],
    HAS_NODE_TLS ? [] : ["cert", "insecure", "fingerprint"],
  );
  const way = wayOf(options, address);
  const files = isEncrypted(address) ? await readClientTls({ cert, key, ca }) : NO_FILES;
  return {
    engine: engineOf(options, address),
    tls: { ...files, serverName, insecure, fingerprint },
    preamble: proxyProtocol,
    way,
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

/** Drops permissions that this run does not need, for the rest of the process (least privilege). */
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
