/** TLS 1.2 and 1.3 (RFC 5246, RFC 8446) over TCP: the files that it reads, and which module speaks it. */

import type { NetAddress } from "../../base/address.ts";
import type { Transport } from "../stream.ts";
import type { ClientTls, ServerTls } from "../tls_settings.ts";

/**
 * Whether node:tls works in this Deno. Its sockets have TCP_NODELAY, without which an echo of more than one
 * record (16 KB) takes 44 ms, and it enforces client certificates. In Deno 2.7 it does neither listen nor connect.
 */
export const HAS_NODE_TLS = hasNodeTls(Deno.version.deno);

function hasNodeTls(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || major === 2 && minor >= 9;
}

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
