/** TLS 1.2 and 1.3 (RFC 5246, RFC 8446) over TCP: what is asked of it, and what its failures mean. */

import type { NetAddress } from "../../base/address.ts";
import { errno, Failure, reason } from "../../base/errors.ts";
import type { Transport } from "../stream.ts";

/** A certificate, with the chain that goes with it, and its key, in PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What a server shows and asks for, in PEM. */
export interface ServerTls extends Pair {
  /** Clients must show a certificate that one of these has signed. */
  readonly clientCa: string | undefined;
  /** SHA-256 of the certificate, in hex with colons. */
  readonly fingerprint: string;
}

/** What a client trusts and shows, in PEM. */
export interface ClientTls {
  /** Whose certificates are trusted; undefined: those of the authorities that Deno knows. */
  readonly ca: string | undefined;
  /** For the certificate and SNI; undefined: the host of the address. */
  readonly serverName: string | undefined;
  readonly pair: Pair | undefined;
  readonly insecure: boolean;
  /** In place of every other check: SHA-256 of the certificate, in upper-case hex with colons. */
  readonly fingerprint: string | undefined;
}

/**
 * Whether node:tls works in this Deno. Its sockets have TCP_NODELAY, without which an echo of more than one
 * record (16 KB) takes 44 ms, and it enforces client certificates. In Deno 2.7 it does neither listen nor connect.
 */
export const HAS_NODE_TLS = hasNodeTls(Deno.version.deno);

function hasNodeTls(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || major === 2 && minor >= 9;
}

/** How long a handshake may take. */
export const HANDSHAKE_MS = 10_000;

/** Reads the files of a server, at its start and again while it runs. Throws UsageError. */
export type TlsReader = () => ServerTls;

/**
 * The reader for these files; without `cert` and `key`, which go together, a certificate is made, now and once, and
 * written to `saveCert`.
 */
export async function serverTlsReader(
  { cert, key, clientCa, saveCert }: {
    [file in "cert" | "key" | "clientCa" | "saveCert"]: string | undefined;
  },
): Promise<TlsReader> {
  const { fingerprintOf, makePair, readAuthorities, readPair, saveCertificate } = await import(
    "./certificate.ts"
  );
  const made = cert === undefined || key === undefined ? await makePair() : undefined;
  if (made !== undefined && saveCert !== undefined) saveCertificate(saveCert, made);
  return () => {
    const pair = made ?? readPair(cert ?? "", key ?? "");
    const authorities = clientCa === undefined ? undefined : readAuthorities("--client-ca", clientCa);
    return { ...pair, clientCa: authorities, fingerprint: fingerprintOf(pair.cert) };
  };
}

/** Reads the files of a client, and whom the system trusts where no file says whom to trust. Throws UsageError. */
export async function readClientTls(
  { cert, key, ca }: { [file in "cert" | "key" | "ca"]: string | undefined },
): Promise<Pick<ClientTls, "pair" | "ca">> {
  const { readAuthorities, readPair, systemAuthorities } = await import("./certificate.ts");
  return {
    pair: cert === undefined || key === undefined ? undefined : readPair(cert, key),
    ca: ca === undefined ? systemAuthorities() : readAuthorities("--ca", ca),
  };
}

/** The modules are loaded when they are needed: who speaks plain TCP does not pay for them. */
export function tls(address: NetAddress): Transport {
  const backend = () => HAS_NODE_TLS ? import("./node.ts") : import("./deno.ts");
  return {
    listen: async (options) => (await backend()).listen(address, options),
    dial: async (options, signal) => (await backend()).dial(address, options, signal),
  };
}

/** What rustls, which does the work under both modules, says in its errors; a code of node:tls goes before it. */
const MEANINGS: readonly (readonly [said: RegExp, meaning: string])[] = [
  [/got ClientHello when expecting ServerHello/, "the other end is an echo server without TLS: try tcp://"],
  [/InvalidContentType|got ClientHello when/, "no TLS from the other end: plain HTTP, or another protocol"],
  [/no certificates/, "the client showed no certificate, and --client-ca asks for one"],
  [/fatal alert: CertificateExpired/, "the other end says that our certificate has expired"],
  [/incompatible|ProtocolVersion/, "no common version or cipher; TLS 1.2 and 1.3 are spoken here"],
  [/certificate expired/, "the certificate of the other end has expired"],
  [/UnknownIssuer/, "the certificate of the other end is of an unknown CA; see --ca, and serve --save-cert"],
  [
    /NotValidForName|not valid for name/,
    "the certificate of the other end is for another name; see --server-name",
  ],
  [/handshake timeout/, `the handshake was not finished within ${HANDSHAKE_MS / 1000} s`],
  [
    /socket hang up|UnexpectedEof|handshake eof/,
    "the other end left during the handshake",
  ],
];

/** What went wrong in a handshake, as a Failure; `because` is known to whoever calls. */
export function handshakeFailure(error: unknown, because?: string): Failure {
  const said = `${errno(error)} ${error}`;
  const meaning = because ?? MEANINGS.find(([pattern]) => pattern.test(said))?.[1];
  return new Failure(`TLS: ${meaning ?? reason(error)}`, { cause: error });
}
