/** errno(3) as the errors that the rest of the program knows. */

/** Those that the network, the user or the system's limits can cause; the same numbers on x86-64 and arm64. */
const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  5: "EIO",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  17: "EEXIST",
  19: "ENODEV",
  20: "ENOTDIR",
  23: "ENFILE",
  24: "EMFILE",
  30: "EROFS",
  32: "EPIPE",
  36: "ENAMETOOLONG",
  71: "EPROTO",
  90: "EMSGSIZE",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  102: "ENETRESET",
  103: "ECONNABORTED",
  104: "ECONNRESET",
  105: "ENOBUFS",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  112: "EHOSTDOWN",
  113: "EHOSTUNREACH",
};

/** What Deno itself throws in the same place. */
const CLASSES: Readonly<Record<string, new (message: string) => Error>> = {
  ENOENT: Deno.errors.NotFound,
  EACCES: Deno.errors.PermissionDenied,
  EEXIST: Deno.errors.AlreadyExists,
  EPIPE: Deno.errors.BrokenPipe,
  EADDRINUSE: Deno.errors.AddrInUse,
  EADDRNOTAVAIL: Deno.errors.AddrNotAvailable,
  ECONNABORTED: Deno.errors.ConnectionAborted,
  ECONNRESET: Deno.errors.ConnectionReset,
  ENOTCONN: Deno.errors.NotConnected,
  ETIMEDOUT: Deno.errors.TimedOut,
  ECONNREFUSED: Deno.errors.ConnectionRefused,
};

/** The words of Deno. */
const INVALID = "Invalid argument";

/** No file descriptor is left for the process, or for the system. */
export const EMFILE = 24;
/** It is not permitted. */
export const EPERM = 1;
/** The kernel has no such call. */
export const ENOSYS = 38;
/** It would have to wait. */
export const EAGAIN = 11;
/** A signal came. */
export const EINTR = 4;
/** Of an argument that the user chose: see `addressError`. */
const EINVAL = 22;
/** A connection is being made. */
export const EINPROGRESS = 115;

/**
 * The error of a call that failed, with its `code`. Any other number, such as that of EBADF or EINVAL, is a defect of
 * ours: its error has no code, and so is said to be one.
 */
export function systemError(call: string, number: number): Error {
  const code = NAMES[number];
  if (code === undefined) return new Error(`${call} failed with errno ${number}`);
  return coded(code, `${call}: ${code}`);
}

/** The same where the call had an address: port 0, or a link-local one without a zone, is invalid and no defect. */
export function addressError(call: string, number: number): Error {
  return number === EINVAL ? coded("EINVAL", INVALID) : systemError(call, number);
}

function coded(code: string, message: string): Error {
  return Object.assign(new (CLASSES[code] ?? Error)(message), { code });
}
