/** What went wrong on the network, in words: the action, the address, the reason, the next step. */

import { PLATFORM } from "./platform.ts";
import { programName } from "./program.ts";

/** A fault at run time. `main` prints its message as one line and exits with 1. */
export class Failure extends Error {}

/** What the exit code of a command says, where it does not say more itself. */
export const EXIT_CODES =
  "Exit codes: 0 all came back right, 1 the network or the other end failed, 2 the command line was wrong.";

const NO_NAME = "the name does not resolve; check its spelling and the DNS";

/** Whoever read our output has had enough, as `head -1` has: not a fault. */
export class OutputClosed extends Error {}

/** No address of a name could be connected to. */
export class Unreachable extends Error {
  /** What failed at which addresses: `connection refused at ::1 and 127.0.0.1`. */
  readonly what: string;
  /** errno(3) of the last address. */
  readonly code: string;

  /** By IP address, in the order in which they failed. */
  constructor(faults: ReadonlyMap<string, unknown>) {
    const rows = Array.from(faults, ([ip, error]) => ({ ip, why: reason(error).split("; ") }));
    const alike = Map.groupBy(rows, ({ why }) => why[0]);
    const what = Array.from(alike, ([what, rows]) => `${what} at ${listed(rows.map(({ ip }) => ip))}`).join(
      ", ",
    );
    super([what, ...rows.at(-1)?.why.slice(1) ?? []].join("; "));
    this.what = what;
    this.code = errno([...faults.values()].at(-1));
  }
}

/** What was the matter where a connection was not made in time: which addresses were tried, and what they said. */
export function unanswered(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Unreachable ? cause.what : "no answer";
}

/** `a`, `a and b`, `a, b and c`. */
function listed(words: readonly string[]): string {
  return [words.slice(0, -1).join(", "), ...words.slice(-1)].filter((part) => part !== "").join(" and ");
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use by a live server; stop it, or try another port",
  EADDRNOTAVAIL: "this machine has no such address; try :PORT for every interface",
  EACCES: "permission denied (ports below 1024 need root or CAP_NET_BIND_SERVICE); try a higher port",
  EPERM: "not permitted by the system; a firewall rule or sandbox forbids it",
  ECONNREFUSED: "connection refused; nothing listens there, or a firewall rejects it",
  ECONNRESET: "connection reset by the other end",
  ECONNABORTED: "connection aborted before it was accepted",
  EPIPE: "the other end closed the connection",
  ENOTCONN: "the other end closed the connection",
  ETIMEDOUT: "timed out; the packets are lost on the way",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ENOTFOUND: NO_NAME,
  EAI_AGAIN: NO_NAME,
  // With TLS 1.3 a client hears of these when its handshake is long done.
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the other end asks for a certificate; see --cert and --key",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "the other end does not trust our certificate: it is of an unknown CA",
  UNEXPECTED_EOF: "the other end closed without a close_notify of TLS; something may be missing",
  EMFILE: "out of file descriptors; raise `ulimit -n`",
  ENFILE: "the system is out of file descriptors",
  ENOMEM: "the system is out of memory",
  ENOBUFS: "the system is out of memory for sockets",
  ENOSPC: "the disk is full",
  EMSGSIZE: "too large for a datagram; send less at once",
  ...PLATFORM.reasons,
};

/** Deno's own names for errors that carry no `code`. */
const NAMES: Readonly<Record<string, string>> = {
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  PermissionDenied: "EACCES",
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  ConnectionAborted: "ECONNABORTED",
  BrokenPipe: "EPIPE",
  NotConnected: "ENOTCONN",
  TimedOut: "ETIMEDOUT",
  // Of Deno's own TLS: it was cut off, or what arrived is none.
  UnexpectedEof: "UNEXPECTED_EOF",
  InvalidData: "EPROTO",
};

/** The system's name of an error (errno(3)), such as `ECONNRESET`, or "" where there is none. */
export function errno(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const code = (error as Error & { code?: unknown }).code;
  return typeof code === "string" ? code : NAMES[error.name] ?? "";
}

/** Why it failed, as half a sentence. */
export function reason(error: unknown): string {
  const known = error instanceof Unreachable ? error.message : REASONS[errno(error)];
  if (known !== undefined) return known;
  const message = error instanceof Error ? error.message : String(error);
  if (/failed to lookup address/.test(message)) return NO_NAME;
  return message.replace(/ \(os error \d+\)/, "").replaceAll(/\s+/g, " ");
}

/** Why a file could not be opened, read or written, as half a sentence. */
export function fileReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) {
    return `${programName()} may not open it; name an ordinary file`;
  }
  return reason(error);
}

/** `cannot ACTION WHERE: REASON`, as a Failure. */
export function failure(action: string, where: string, cause: unknown): Failure {
  return new Failure(`cannot ${action} ${where}: ${reason(cause)}`, { cause });
}

/** A connection that failed before it was accepted. Every other failure to accept may come again at once. */
export function concernsOne(error: unknown): boolean {
  return ["ECONNABORTED", "ECONNRESET", "ENOTCONN", "EPROTO"].includes(errno(error));
}

/** Whether the process or the system has no file descriptor left (EMFILE, ENFILE). */
export function isOutOfDescriptors(error: unknown): boolean {
  return ["EMFILE", "ENFILE"].includes(errno(error));
}
