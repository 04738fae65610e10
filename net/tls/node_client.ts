/** TLS connections by node:tls, for Deno 2.9 and later: whom a client trusts, and what it tells of the other end. */

import type { X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { DEFAULT_HOST, type NetAddress } from "../../base/address.ts";
import { errno, Failure } from "../../base/errors.ts";
import { reach, settled, undialled } from "../reach.ts";
import type { Dialled, DialOptions } from "../stream.ts";
import type { ClientTls } from "../tls_settings.ts";
import { showDate, validity } from "./certificate.ts";
import { handshakeFailure } from "./handshake.ts";
import { flowOf, shown } from "./node_sockets.ts";
import { SocketStream } from "../socket_stream.ts";

/** Throws Failure. */
export async function dial(
  address: NetAddress,
  options: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const { host = DEFAULT_HOST } = address;
  const { tls, preamble, way } = options;
  try {
    const { stream, peer } = await reach(host, address.port, preamble, way, signal);
    const carrier = stream.release();
    const flow = flowOf(carrier);
    const begin = performance.now();
    const socket = await secure(host, carrier, tls, signal);
    const handshakeMs = performance.now() - begin;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Failure("TLS: the other end showed no certificate");
    const { fingerprint } = tls;
    if (fingerprint !== undefined && certificate.fingerprint256 !== fingerprint) {
      socket.destroy();
      throw new Failure(`TLS: its certificate has another fingerprint: ${certificate.fingerprint256}`);
    }
    return {
      stream: new SocketStream(socket, flow),
      peer,
      details: details(socket, certificate),
      handshakeMs,
    };
  } catch (error) {
    if (!UNTRUSTED.includes(errno((error as Error).cause))) throw undialled(address, error);
    const why = await doubt(host, address.port, options, signal);
    throw undialled(address, handshakeFailure(error, why));
  }
}

/** Does the handshake, and lets through only whom `tls` trusts; a fingerprint is left to the caller. */
async function secure(
  host: string,
  carrier: Socket,
  { ca, serverName, pair, insecure, fingerprint }: ClientTls,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const name = serverName ?? host;
  const strict = !insecure && fingerprint === undefined;
  const socket = connectTls({
    ...pair,
    ...(ca === undefined ? {} : { ca }),
    ...(isIP(name) === 0 ? { servername: name } : {}), // SNI has no IP addresses: RFC 6066, section 3
    host: name,
    socket: carrier,
    rejectUnauthorized: strict,
  });
  try {
    await settled(socket, "secureConnect", signal);
  } catch (error) {
    throw handshakeFailure(error);
  }
  if (strict && !socket.authorized) {
    socket.destroy();
    throw new Failure("TLS: the certificate was not verified");
  }
  return socket;
}

/** The codes by which node:tls refuses a certificate; it takes the first also for one that has expired. */
const UNTRUSTED = [
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "ERR_TLS_CERT_ALTNAME_INVALID",
];

/** Why a certificate was refused. node:tls does not show that, so it is looked at once more, and nothing is sent. */
async function doubt(
  host: string,
  port: number,
  { tls, preamble, way }: DialOptions,
  signal: AbortSignal,
): Promise<string> {
  const { stream } = await reach(host, port, preamble, way, signal);
  const socket = await secure(host, stream.release(), { ...tls, pair: undefined, insecure: true }, signal);
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  if (certificate === undefined) return "its certificate is not trusted";
  const invalid = validity(certificate);
  if (invalid !== undefined) return `its certificate ${invalid}`;
  const name = tls.serverName ?? host;
  const matches = isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name);
  if (matches === undefined) {
    return `its certificate is for ${
      shown(certificate.subjectAltName ?? certificate.subject)
    }, not for ${name}; ` +
      "see --server-name";
  }
  return `its certificate is of an unknown CA, ${shown(certificate.issuer)}; see --ca, or --fingerprint ` +
    certificate.fingerprint256;
}

function details(socket: TLSSocket, certificate: X509Certificate): string[] {
  const { subject, issuer, validToDate, fingerprint256 } = certificate;
  const alpn = socket.alpnProtocol ? `ALPN ${shown(socket.alpnProtocol)}` : "no ALPN";
  return [
    `${socket.getProtocol()}, ${socket.getCipher().standardName}, ${alpn}`,
    `certificate of ${shown(subject)}, by ${shown(issuer)}, until ${showDate(validToDate)}`,
    `fingerprint ${fingerprint256}`,
  ];
}
