/** How long a TLS handshake may take, and what its failures mean. */

import { errno, Failure, reason } from "../../base/errors.ts";

/** How long a handshake may take. */
export const HANDSHAKE_MS = 10_000;

/** Throws what a handshake that takes longer has come to; in the words of handshakeFailure. */
export function lateHandshake(): never {
  throw handshakeFailure(new Error("handshake timeout"));
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
