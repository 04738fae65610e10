/** TLS by node:tls, for Deno 2.9 and later: TCP_NODELAY, client certificates, fingerprints, new files while running. */

import { within } from "../../base/time.ts";
import { X509Certificate } from "node:crypto";
import { connect as connectTcp, createServer, isIP, type Server, type Socket } from "node:net";
import {
  connect as connectTls,
  createServer as createTlsServer,
  type DetailedPeerCertificate,
  type TLSSocket,
} from "node:tls";
import { DEFAULT_HOST, type NetAddress, showAddress, showPeer } from "../../base/address.ts";
import { printable } from "../../base/escape.ts";
import { certificatesIn, showDate, validity } from "./certificate.ts";
import { errno, Failure, failure } from "../../base/errors.ts";
import { encodeHeader } from "../proxy/header.ts";
import { type Flow, SocketStream } from "./socket_stream.ts";
import type {
  Accepted,
  Dialled,
  DialOptions,
  Endpoint,
  Identity,
  Listener,
  ListenOptions,
  Preamble,
} from "../stream.ts";
import { BACKLOG, bind } from "../tcp.ts";
import type { ClientTls, ServerTls } from "../tls_settings.ts";
import { HANDSHAKE_MS, handshakeFailure, lateHandshake } from "./handshake.ts";

/** How often a listener is woken that may have run out of descriptors, one that has, and one that has just accepted. */
const WAKE_MS = 1000;
const SHORT_WAKE_MS = 50;
const NEXT_WAKE_MS = 5;

/** As many certificates as a client may show; rustls takes no more. */
const LONGEST_CHAIN = 16;

/** What of every socket, accepted or connected, is asked. */
const TUNING = { noDelay: true, keepAlive: true, allowHalfOpen: true };

/** Throws Failure. */
export async function listen(address: NetAddress, { shared, tls }: ListenOptions): Promise<Listener> {
  if (tls === undefined) throw new Error("a tls address without a certificate");
  const handshakes = new Handshakes(tls);
  const arrivals = new Arrivals();
  const server = createServer({ ...TUNING, pauseOnConnect: true }, (socket) => {
    arrivals.add(socket);
    waker.accepted();
  });
  await bind(address, (hostname) => listenAt(server, { hostname, port: address.port }, shared));
  const { address: host, port } = server.address() as { address: string; port: number };
  const waker = new Waker(server, arrivals);
  return {
    address: showAddress({ ...address, host, port }),
    accept() {
      waker.accepting();
      return arrivals.next();
    },
    welcome: (accepted) => handshakes.run(accepted),
    renew: (tls) => handshakes.renew(tls),
    close() {
      waker.close();
      server.close();
      arrivals.close();
    },
  };
}

/** Throws Failure. */
export async function dial(
  address: NetAddress,
  { tls, preamble }: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const { host = DEFAULT_HOST } = address;
  const where = showAddress({ ...address, host });
  try {
    const stream = await reach(host, address.port, preamble, signal);
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
    return { stream: new SocketStream(socket, flow), details: details(socket, certificate), handshakeMs };
  } catch (error) {
    if (!UNTRUSTED.includes(errno((error as Error).cause))) throw failure("connect to", where, error);
    const why = await doubt(host, address.port, tls, preamble, signal);
    throw failure("connect to", where, handshakeFailure(error, why));
  }
}

/** The handshakes of a server. `node:tls` does them, and decides whether a client's certificate will do. */
class Handshakes {
  readonly #server;
  readonly #open = new WeakMap<Socket, Handshake>();
  readonly #asks: boolean;
  #authorities: readonly X509Certificate[];

  constructor(tls: ServerTls) {
    this.#asks = tls.clientCa !== undefined;
    this.#authorities = authoritiesOf(tls);
    this.#server = createTlsServer({
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

/**
 * A TLS socket of Deno 2.9.6 that is paused goes on to receive, without limit, and loses the end of the stream that
 * comes meanwhile. So the socket underneath is stopped instead, by the handle through which Node does that. It also
 * takes a reset for the end: only the kernel knows that there is no peer any more.
 */
function flowOf(socket: Socket): Flow {
  const { _handle: handle } = socket as Socket & {
    readonly _handle?: {
      readStop?(): void;
      readStart?(): void;
      getpeername?(into: object): number;
    } | null;
  };
  if (!handle?.readStop || !handle.readStart || !handle.getpeername) {
    throw new Failure("TLS: the connection has ended, or this Deno has another node:net than echo knows");
  }
  return {
    pause: () => handle.readStop?.(),
    resume: () => handle.readStart?.(),
    isReset: () => handle.getpeername?.({}) !== 0,
  };
}

/** Accepted connections, and failures to accept, for a loop that takes them one by one. */
class Arrivals {
  readonly #waiting: (Accepted | Error)[] = [];
  #next: PromiseWithResolvers<Accepted> | undefined;
  #closed = false;

  add(socket: Socket): void {
    const stream = new SocketStream(socket);
    socket.setKeepAlive(true); // Deno 2.9 does not heed the option
    const { remoteAddress, remotePort } = socket;
    if (this.#closed) return stream.close();
    if (remoteAddress !== undefined && remotePort !== undefined) {
      return this.#put({ stream, peer: showPeer(remoteAddress, remotePort) });
    }
    stream.close();
    this.#put(new Deno.errors.ConnectionReset());
  }

  next(): Promise<Accepted> {
    if (this.#closed) return Promise.reject(new Failure("the listener is closed"));
    this.#next = Promise.withResolvers();
    const { promise } = this.#next;
    const first = this.#waiting.shift();
    if (first !== undefined) this.#put(first);
    return promise;
  }

  /** The present wait ends with this error. */
  fail(error: unknown): void {
    this.#next?.reject(error);
    this.#next = undefined;
  }

  close(): void {
    this.#closed = true;
    for (const waiting of this.#waiting.splice(0)) {
      if (!(waiting instanceof Error)) waiting.stream.close();
    }
    this.fail(new Failure("the listener is closed"));
  }

  #put(arrival: Accepted | Error): void {
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) this.#waiting.push(arrival);
    else if (arrival instanceof Error) next.reject(arrival);
    else next.resolve(arrival);
  }
}

function contextOf({ cert, key, clientCa }: ServerTls): { cert: string; key: string; ca?: string } {
  return { cert, key, ...(clientCa === undefined ? {} : { ca: clientCa }) };
}

/** Rejects with an error that carries its errno. */
async function listenAt(server: Server, { hostname, port }: Endpoint, shared: boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host: hostname, port, backlog: BACKLOG, reusePort: shared }, resolve);
  try {
    await promise;
  } catch (error) {
    // Deno takes every failure to bind that it does not know for EINVAL.
    throw errno(error) === "EINVAL" ? Object.assign(new Error(), { code: "EADDRNOTAVAIL" }) : error;
  } finally {
    server.off("error", reject);
  }
}

/**
 * Deno 2.9.6 stops to accept, without a word, when it is out of descriptors. To listen once more on the same
 * handle wakes it (listen(2) changes nothing else); the server is told of the shortage as by any other listener.
 */
class Waker {
  readonly #server: Server;
  readonly #arrivals: Arrivals;
  #timer: ReturnType<typeof setTimeout>;
  #short = false;

  constructor(server: Server, arrivals: Arrivals) {
    this.#server = server;
    this.#arrivals = arrivals;
    this.#timer = setTimeout(() => this.#look(), WAKE_MS);
  }

  accepting(): void {
    if (this.#short) this.#listen();
  }

  /** Where one was accepted, more may wait: those of a burst are not accepted once the descriptors have run out. */
  accepted(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), NEXT_WAKE_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const shortage = descriptorShortage();
    this.#short = shortage !== undefined;
    this.#timer = setTimeout(() => this.#look(), this.#short ? SHORT_WAKE_MS : WAKE_MS);
    if (shortage === undefined) this.#listen();
    else this.#arrivals.fail(shortage);
  }

  #listen(): void {
    const { _handle: handle } = this.#server as Server & {
      readonly _handle?: { listen?(backlog: number): void };
    };
    handle?.listen?.(BACKLOG);
  }
}

function descriptorShortage(): unknown {
  try {
    Deno.openSync("/dev/null").close();
    return undefined;
  } catch (error) {
    return errno(error) === "EMFILE" || errno(error) === "ENFILE" ? error : undefined;
  }
}

/** A TCP connection on which the preamble is sent. */
async function reach(
  host: string,
  port: number,
  preamble: Preamble | undefined,
  signal: AbortSignal,
): Promise<SocketStream> {
  const socket = connectTcp({ ...TUNING, host, port });
  const stream = new SocketStream(socket);
  await settled(socket, "connect", signal);
  const { localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 } = socket;
  if (preamble !== undefined) {
    const local = { hostname: localAddress, port: localPort };
    const remote = { hostname: remoteAddress, port: remotePort };
    await stream.write(encodeHeader(preamble, local, remote));
  }
  return stream;
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
  tls: ClientTls,
  preamble: Preamble | undefined,
  signal: AbortSignal,
): Promise<string> {
  const stream = await reach(host, port, preamble, signal);
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

/** A name from a certificate, in one line that a terminal shows and does not obey. */
function shown(name: string): string {
  return printable(new TextEncoder().encode(name.replaceAll("\n", ", ")));
}

/** Waits for the event; when an error, the end or the signal comes first, the socket is destroyed. */
async function settled(
  socket: Socket,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = () => reject(new Error("socket hang up"));
  const abort = () => reject(new Failure("interrupted"));
  socket.once(event, resolve);
  socket.once("error", reject);
  socket.once("close", end);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    socket.off("close", end);
    signal.removeEventListener("abort", abort);
  }
}
