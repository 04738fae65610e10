/** What went wrong on the network, in words: the action, the address, the reason, the next step. */

/** A fault at run time. `main` prints its message as one line and exits with 1. */
export class Failure extends Error {}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use by a live server; stop it, or try another port",
  EADDRNOTAVAIL: "this machine has no such address; try :PORT for every interface",
  EACCES: "permission denied (ports below 1024 need root or CAP_NET_BIND_SERVICE); try a higher port",
  EPERM: "not permitted by the system; a firewall rule or sandbox forbids it",
  ECONNREFUSED: "connection refused; nothing listens there, or a firewall rejects it",
  ECONNRESET: "connection reset by the other end",
  ECONNABORTED: "connection aborted before it was accepted",
  EPIPE: "the other end had closed the connection",
  ETIMEDOUT: "timed out; the packets are lost on the way",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  EMFILE: "out of file descriptors; raise `ulimit -n`",
  ENFILE: "the system is out of file descriptors",
  ENOMEM: "the system is out of memory",
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
  TimedOut: "ETIMEDOUT",
};

/** The system's name of an error (errno(3)), such as `ECONNRESET`, or "" where there is none. */
export function errno(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const code = (error as Error & { code?: unknown }).code;
  return typeof code === "string" ? code : NAMES[error.name] ?? "";
}

/** Why it failed, as half a sentence. */
export function reason(error: unknown): string {
  const known = REASONS[errno(error)];
  if (known !== undefined) return known;
  const message = error instanceof Error ? error.message : String(error);
  if (/failed to lookup address/.test(message)) {
    return "the name does not resolve; check its spelling and the DNS";
  }
  return message.replace(/ \(os error \d+\)/, "").replaceAll(/\s+/g, " ");
}

/** `cannot ACTION WHERE: REASON`, as a Failure. */
export function failure(action: string, where: string, cause: unknown): Failure {
  return new Failure(`cannot ${action} ${where}: ${reason(cause)}`, { cause });
}

/** Out of a resource: waiting helps. Every other failure to accept concerns one connection alone. */
export function isShortage(error: unknown): boolean {
  return ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"].includes(errno(error));
}
