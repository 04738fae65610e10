/** What several commands have in common: words of their help, and the flags of a TLS client. */

import { type Command, type Flags, help, optional, type Options, parse, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/units.ts";

export const ADDRESS =
  "ADDRESS is [SCHEME://]host[:port], :port, a port, [v6]:port, or unix:/path; the default port is 8890.";
export const SCHEMES = "SCHEME is tcp (the default), tls or udp.";
export const EXIT_CODES =
  "Exit codes: 0 all came back right, 1 the network or the other end failed, 2 the command line was wrong.";

/** What a client trusts and shows over TLS. */
export const tlsFlags = {
  ca: optional("ca", "FILE", String, "tls: the CA to trust, in PEM (default: the system's)"),
  serverName: optional(
    "server-name",
    "NAME",
    String,
    "tls: whose certificate it must be (default: the host)",
  ),
  cert: optional("cert", "FILE", String, "tls: a certificate to show, in PEM"),
  key: optional("key", "FILE", String, "tls: the private key of --cert, in PEM"),
  insecure: toggle("insecure", undefined, "tls: trust any certificate"),
  fingerprint: optional(
    "fingerprint",
    "SHA256",
    fingerprint,
    "tls: trust the certificate of this SHA-256 alone",
  ),
} satisfies Flags;

/** Least privilege: gives up, to the end of the process, what this run does not need. */
export function giveUp(...names: ("read" | "write")[]): void {
  for (const name of names) Deno.permissions.revokeSync({ name });
}

/** Reads the words of a command, or prints its help and exits. */
export function parseOrHelp<F extends Flags>(
  command: Command<F>,
  words: string[],
): { options: Options<F>; operands: string[] } {
  const end = words.indexOf("--");
  if (words.slice(0, end === -1 ? undefined : end).includes("--help")) {
    console.log(help(command));
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
