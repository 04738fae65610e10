/** The server's side of TLS handshakes by node:tls, and whom a server with --client-ca trusts. */

import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { Failure } from "../../base/errors.ts";
import { within } from "../../base/time.ts";
import type { Accepted, Identity } from "../stream.ts";
import type { ServerTls } from "../tls_settings.ts";
import { certificatesIn, validity } from "./certificate.ts";
import { HANDSHAKE_MS, handshakeFailure, lateHandshake } from "./handshake.ts";
import { flowOf, shown } from "./node_sockets.ts";
import { SocketStream } from "../socket_stream.ts";

/** As many certificates as a client may show; rustls takes no more. */
const LONGEST_CHAIN = 16;

/** The handshakes of a server. `node:tls` does them, and decides whether a client's certificate will do. */
export class Handshakes {
  readonly #server;
  readonly #open = new WeakMap<Socket, Handshake>();
  readonly #asks: boolean;
  #authorities: readonly X509Certificate[];

  constructor(tls: ServerTls) {
    this.#asks = tls.clientCa !== undefined;
    this.#authorities = authoritiesOf(tls);
    this.#server = createServer({
      ...contextOf(tls),
      requestCert: this.#asks,
      rejectUnauthorized: this.#asks,
      handshakeTimeout: -1, // none, as its timer would hold what a failed handshake had until it fires
    });
    this.#server.on("secureConnection", (socket) => this.#done(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      const distrust = socket.authorizationError &&
        "the client's certificate has expired or is of an unknown CA";
      const failure = handshakeFailure(error, distrust || undefined);
      // A turn later: the alert that tells the client why can leave, though Deno does not always let it.
      setTimeout(() => this.#find(socket)?.reject(failure));
    });
  }

  /** Resolves with the stream inside, whose client may be served. Throws Failure. */
  async run({ stream, peer }: Accepted): Promise<Accepted> {
    const socket = (stream as SocketStream).release();
    socket.allowHalfOpen = false; // until the handshake is done: who leaves during it is gone
    const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
    const flow = flowOf(socket);
    this.#open.set(socket, { resolve, reject });
    const authorities = this.#authorities;
    try {
      this.#server.emit("connection", socket);
      const secure = await within(HANDSHAKE_MS, promise, lateHandshake);
      secure.allowHalfOpen = true;
      const inside = { stream: new SocketStream(secure, flow), peer };
      if (!this.#asks) return inside;
      const certificate = secure.getPeerX509Certificate();
      const reason = distrust(secure, certificate, authorities);
      if (reason === undefined && certificate !== undefined) {
        return { ...inside, identity: identity(certificate) };
      }
      inside.stream.close();
      throw new Failure(`TLS: ${reason}`);
    } finally {
      this.#open.delete(socket);
    }
  }

  /** For handshakes that begin from now on. */
  renew(tls: ServerTls): void {
    this.#server.setSecureContext(contextOf(tls));
    this.#authorities = authoritiesOf(tls);
  }

  #done(socket: TLSSocket): void {
    const handshake = this.#find(socket);
    if (handshake === undefined) socket.destroy(); // it was given up
    else handshake.resolve(socket);
  }

  /** Node knows the socket underneath as `_parent`; were it gone, no client would be served. */
  #find(socket: TLSSocket): Handshake | undefined {
    const { _parent: parent } = socket as TLSSocket & { readonly _parent?: Socket };
    return parent && this.#open.get(parent);
  }
}

/** A handshake that is going on. */
interface Handshake {
  readonly resolve: (socket: TLSSocket) => void;
  readonly reject: (error: Failure) => void;
}

function authoritiesOf({ clientCa }: ServerTls): X509Certificate[] {
  return clientCa === undefined ? [] : certificatesIn(clientCa);
}

/** Who a client is, by its certificate. */
function identity({ subject, fingerprint256 }: X509Certificate): Identity {
  return { subject: shown(subject), fingerprint: fingerprint256 };
}

/**
 * Why a client must not be served although its handshake is done. Whatever is unclear is a reason. Deno does not
 * verify the certificate of a session that is resumed: it was, but perhaps with a CA that is not trusted any more.
 */
function distrust(
  socket: TLSSocket,
  certificate: X509Certificate | undefined,
  authorities: readonly X509Certificate[],
): string | undefined {
  if (!socket.authorized || certificate === undefined) return "the client's certificate was not verified";
  const invalid = validity(certificate);
  if (invalid !== undefined) return `the client's certificate ${invalid}`;
  if (!socket.isSessionReused() || isSignedBy(chainOf(socket), authorities)) return undefined;
  return "a session of a client whose certificate is not of the present CA";
}

/** The certificates that the client has shown, its own first. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < LONGEST_CHAIN) {
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}

/** Whether signatures lead from the first certificate, by those after it, to one of the authorities. */
function isSignedBy(
  [certificate, ...rest]: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  if (certificate === undefined) return false;
  const signs = (issuer: X509Certificate) =>
    issuer.ca && validity(issuer) === undefined && certificate.checkIssued(issuer) &&
    certificate.verify(issuer.publicKey);
  if (authorities.some((authority) => authority.raw.equals(certificate.raw) || signs(authority))) return true;
  const [issuer] = rest;
  return issuer !== undefined && signs(issuer) && isSignedBy(rest, authorities);
}

function contextOf({ cert, key, clientCa }: ServerTls): { cert: string; key: string; ca?: string } {
  return { cert, key, ...(clientCa === undefined ? {} : { ca: clientCa }) };
}
