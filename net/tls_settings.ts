/** What is asked of TLS, by a server and by a client: types only, so that whoever carries them needs no TLS. */

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
