/**
 * Every call of libc that this program makes, and nothing else: Linux on x86-64 and arm64, with glibc. Importing it
 * opens the library once in a thread and gives up the right to open any (`Deno.permissions`), so that after it neither
 * another library nor this one can be opened there. The length that is passed with a buffer is always that of the view;
 * no pointer to one outlives its call, but for those in datagram_batch.ts.
 */

import { addressError, EAGAIN, EINPROGRESS, EINTR, ENOSYS, EPERM, systemError } from "./errno.ts";
import { LIBC_PATHS } from "./paths.ts";

const i32 = "i32";
const SYMBOLS = {
  socket: { parameters: [i32, i32, i32], result: i32 },
  setsockopt: { parameters: [i32, i32, i32, "buffer", "u32"], result: i32 },
  getsockopt: { parameters: [i32, i32, i32, "buffer", "buffer"], result: i32 },
  bind: { parameters: [i32, "buffer", "u32"], result: i32 },
  listen: { parameters: [i32, i32], result: i32 },
  accept4: { parameters: [i32, "buffer", "buffer", i32], result: i32 },
  connect: { parameters: [i32, "buffer", "u32"], result: i32 },
  getsockname: { parameters: [i32, "buffer", "buffer"], result: i32 },
  getpeername: { parameters: [i32, "buffer", "buffer"], result: i32 },
  shutdown: { parameters: [i32, i32], result: i32 },
  close: { parameters: [i32], result: i32 },
  // A size_t as u32, a ssize_t as i32: no length here comes near 2 GiB, and a number of 64 bits is a bigint, which is
  // slow. Both processors clear the upper half of a register when its lower half is written.
  recv: { parameters: [i32, "buffer", "u32", i32], result: i32 },
  send: { parameters: [i32, "buffer", "u32", i32], result: i32 },
  sendto: { parameters: [i32, "buffer", "u32", i32, "buffer", "u32"], result: i32 },
  recvmmsg: { parameters: [i32, "buffer", "u32", i32, "pointer"], result: i32 },
  sendmmsg: { parameters: [i32, "buffer", "u32", i32], result: i32 },
  epoll_create1: { parameters: [i32], result: i32 },
  epoll_ctl: { parameters: [i32, i32, i32, "buffer"], result: i32 },
  epoll_wait: { parameters: [i32, "buffer", i32, i32], result: i32 },
  // By its number (the same on both processors), as glibc has it from 2.35 on, and Deno is content with 2.27.
  epoll_pwait2: {
    name: "syscall",
    parameters: ["isize", i32, "buffer", i32, "buffer", "pointer"],
    result: i32,
  },
  wait_beside: { name: "epoll_wait", parameters: [i32, "buffer", i32, i32], result: i32, nonblocking: true },
  prctl: { parameters: [i32, "usize", "usize", "usize", "usize"], result: i32 },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  copy_from: { name: "memcpy", parameters: ["buffer", "pointer", "u32"], result: "pointer" },
  place_of: { name: "memcpy", parameters: ["buffer", "buffer", "u32"], result: "usize" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Any view is as good as another here; the types of Deno 2.7 want to know the kind of its buffer. */
type Calls<Symbols> = {
  [Name in keyof Symbols]: Symbols[Name] extends (...args: infer Args) => infer Result
    ? (...args: { [I in keyof Args]: Args[I] extends BufferSource | null ? Uint8Array : Args[I] }) => Result
    : never;
};

const libc = open() as Calls<ReturnType<typeof open>>;
/** The thread's own errno, which stays where it is as long as the thread lives. */
const errnoPlace = libc.__errno_location();

function open() {
  const faults: string[] = [];
  try {
    for (const path of LIBC_PATHS) {
      try {
        return Deno.dlopen(path, SYMBOLS).symbols;
      } catch (error) {
        faults.push(error instanceof Error ? error.message : String(error));
      }
    }
  } finally {
    Deno.permissions.revokeSync({ name: "ffi" });
  }
  throw new Error(`libc cannot be opened: ${faults.join("; ")}`);
}

/** What a call that does not wait returns where it would have to. */
export const WOULD_BLOCK = -1;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
/** The families of sockets: address_families(7). */
export const FAMILY = { unix: AF_UNIX, v4: AF_INET, v6: AF_INET6 } as const;
/** The types of sockets: socket(2). */
export const TYPE = { stream: 1, datagram: 2 } as const;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const SHUT_WR = 1;

/** Options with a number for a value: socket(7), tcp(7), ipv6(7). */
const OPTION = {
  reuseAddress: [1, 2],
  error: [1, 4],
  broadcast: [1, 6],
  keepAlive: [1, 9],
  reusePort: [1, 15],
  noDelay: [6, 1],
  tos: [0, 1],
  ttl: [0, 2],
  hops: [41, 16],
  /** The port is chosen by connect, so that it may be one that goes to another end already: ip(7). */
  bindsNoPort: [0, 24],
  trafficClass: [41, 67],
} as const;
/** The name of one. */
type OptionName = keyof typeof OPTION;

const errnoBytes = new Int32Array(1);
const errnoView = new Uint8Array(errnoBytes.buffer);

/** Of the call before, which failed. */
function errno(): number {
  libc.copy_from(errnoView, errnoPlace, errnoView.length);
  return errnoBytes[0] ?? 0;
}

function fail(call: string): never {
  throw systemError(call, errno());
}

/** A new socket that never blocks and is not inherited by a process that is started. */
export function socket(family: number, type: number): number {
  const fd = libc.socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : fail("socket");
}

const numberBytes = new Int32Array(1);
const numberView = new Uint8Array(numberBytes.buffer);
const lengthBytes = new Uint32Array(1);
const lengthView = new Uint8Array(lengthBytes.buffer);

/** Sets an option. */
export function setOption(fd: number, name: OptionName, value: number): void {
  const [level, option] = OPTION[name];
  numberBytes[0] = value;
  if (libc.setsockopt(fd, level, option, numberView, numberView.length) !== 0) fail(`setsockopt ${name}`);
}

/** The value of an option. */
function getOption(fd: number, name: OptionName): number {
  const [level, option] = OPTION[name];
  lengthBytes[0] = numberView.length;
  if (libc.getsockopt(fd, level, option, numberView, lengthView) !== 0) fail(`getsockopt ${name}`);
  return numberBytes[0] ?? 0;
}

const TCP_INFO = [6, 11] as const;

/** Fills `into` with struct tcp_info (linux/tcp.h); returns how much of it this kernel knows, in bytes. */
export function tcpInfo(fd: number, into: Uint8Array): number {
  lengthBytes[0] = into.length;
  if (libc.getsockopt(fd, ...TCP_INFO, into, lengthView) !== 0) fail("getsockopt TCP_INFO");
  return lengthBytes[0];
}

/** The error that waits on a socket (SO_ERROR), which is told but once; undefined: there is none. */
export function pendingError(fd: number, call: string): Error | undefined {
  const number = getOption(fd, "error");
  return number === 0 ? undefined : systemError(call, number);
}

const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;

/** Its packets go by this network interface alone: SO_BINDTODEVICE. */
export function bindToDevice(fd: number, name: string): void {
  const bytes = new TextEncoder().encode(`${name}\0`);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bytes, bytes.length) !== 0) {
    fail("bind to the interface");
  }
}

/** Gives the socket its address, a sockaddr. */
export function bind(fd: number, address: Uint8Array): void {
  if (libc.bind(fd, address, address.length) !== 0) throw addressError("bind", errno());
}

/** Lets clients in, of whom `backlog` may wait. */
export function listen(fd: number, backlog: number): void {
  if (libc.listen(fd, backlog) !== 0) fail("listen");
}

/** Where accept and the names of sockets put the address: sockaddr_storage. Valid until the next such call. */
export const addressView = new Uint8Array(128);

/** The next client's socket, whose address is in `addressView`; WOULD_BLOCK: there is none. */
export function accept(fd: number): number {
  for (;;) {
    lengthBytes[0] = addressView.length;
    const client = libc.accept4(fd, addressView, lengthView, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) return client;
    const number = errno();
    if (number === EAGAIN) return WOULD_BLOCK;
    if (number !== EINTR) throw systemError("accept", number);
  }
}

/** Begins a connection to a sockaddr; returns whether it is made already, as one to a Unix socket is. */
export function connect(fd: number, address: Uint8Array): boolean {
  if (libc.connect(fd, address, address.length) === 0) return true;
  const number = errno();
  if (number === EINPROGRESS || number === EINTR) return false;
  throw addressError("connect", number);
}

/** The sockaddr of our end, in `addressView`. */
export function localAddress(fd: number): Uint8Array {
  lengthBytes[0] = addressView.length;
  if (libc.getsockname(fd, addressView, lengthView) !== 0) fail("getsockname");
  return addressView;
}

/** The sockaddr of the other end, in `addressView`. */
export function peerAddress(fd: number): Uint8Array {
  lengthBytes[0] = addressView.length;
  if (libc.getpeername(fd, addressView, lengthView) !== 0) fail("getpeername");
  return addressView;
}

/** Ends our direction: the peer sees the end of the stream. */
export function shutdownWrite(fd: number): void {
  if (libc.shutdown(fd, SHUT_WR) !== 0) fail("shutdown");
}

/** Gives the number back. It is free whatever close(2) says, so nothing is tried again. */
export function close(fd: number): void {
  if (libc.close(fd) !== 0) {
    const number = errno();
    if (number !== EINTR) throw systemError("close", number);
  }
}

/** How many bytes came, 0 at the end of the stream, or WOULD_BLOCK. */
export function receive(fd: number, into: Uint8Array): number {
  for (;;) {
    const n = libc.recv(fd, into, into.length, 0);
    if (n >= 0) return n;
    const number = errno();
    if (number === EAGAIN) return WOULD_BLOCK;
    if (number !== EINTR) throw systemError("recv", number);
  }
}

/** How many bytes were taken, or WOULD_BLOCK. */
export function send(fd: number, bytes: Uint8Array): number {
  for (;;) {
    const n = libc.send(fd, bytes, bytes.length, MSG_NOSIGNAL);
    if (n >= 0) return n;
    const number = errno();
    if (number === EAGAIN) return WOULD_BLOCK;
    if (number !== EINTR) throw systemError("send", number);
  }
}

/** Sends a datagram to a sockaddr; returns its bytes, or WOULD_BLOCK. */
export function sendTo(fd: number, bytes: Uint8Array, to: Uint8Array): number {
  for (;;) {
    const n = libc.sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, to, to.length);
    if (n >= 0) return n;
    const number = errno();
    if (number === EAGAIN) return WOULD_BLOCK;
    if (number !== EINTR) throw addressError("sendto", number);
  }
}

/** Of struct mmsghdr. */
export const MESSAGE_BYTES = 64;

/** Takes datagrams into the mmsghdr structures; returns how many, or WOULD_BLOCK. */
export function receiveDatagrams(fd: number, messages: Uint8Array): number {
  for (;;) {
    const n = libc.recvmmsg(fd, messages, messages.length / MESSAGE_BYTES, MSG_DONTWAIT, null);
    if (n >= 0) return n;
    const number = errno();
    if (number === EAGAIN) return WOULD_BLOCK;
    if (number !== EINTR) throw systemError("recvmmsg", number);
  }
}

/** Sends the datagrams of the mmsghdr structures; returns how many were taken, or WOULD_BLOCK. */
export function sendDatagrams(fd: number, messages: Uint8Array): number {
  for (;;) {
    const n = libc.sendmmsg(fd, messages, messages.length / MESSAGE_BYTES, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) return n;
    const number = errno();
    if (number === EAGAIN) return WOULD_BLOCK;
    if (number !== EINTR) throw systemError("sendmmsg", number);
  }
}

/** Where a view lies in memory, for a structure that points to it. The structure and the view must live together. */
export function placeOf(view: Uint8Array): bigint {
  return libc.place_of(view, view, 0);
}

/** The events of epoll_ctl(2). */
export const EVENT = {
  in: 1,
  urgent: 2,
  out: 4,
  error: 8,
  hangUp: 0x10,
  peerEnded: 0x2000,
  edge: 1 << 31,
} as const;

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;

/** struct epoll_event in words of 32 bits: packed on x86-64 alone. Its data are two of them, a number and a check. */
const EVENT_WORDS = Deno.build.arch === "x86_64" ? 3 : 4;
const EVENT_DATA = EVENT_WORDS - 2;
const eventWords = new Int32Array(EVENT_WORDS);
const eventView = new Uint8Array(eventWords.buffer);

/** A new epoll instance. */
export function epoll(): number {
  const fd = libc.epoll_create1(SOCK_CLOEXEC);
  return fd >= 0 ? fd : fail("epoll_create1");
}

function control(epoll: number, operation: number, fd: number, events: number, check: number): void {
  eventWords[0] = events;
  eventWords[EVENT_DATA] = fd;
  eventWords[EVENT_DATA + 1] = check;
  if (libc.epoll_ctl(epoll, operation, fd, eventView) !== 0) fail("epoll_ctl");
}

/** Watches a descriptor; `check` comes back with each of its events. close(2) ends it. */
export function watch(epoll: number, fd: number, events: number, check: number): void {
  control(epoll, EPOLL_CTL_ADD, fd, events, check);
}

/** Watches it for other events. */
export function watchAgain(epoll: number, fd: number, events: number, check: number): void {
  control(epoll, EPOLL_CTL_MOD, fd, events, check);
}

/** Of epoll_pwait2(2), on x86-64 and arm64. */
const EPOLL_PWAIT2 = 441n;
/** Whether the kernel has it, as far as is known. */
let hasExactWait = true;

/** What one wait found. */
export class Events {
  readonly #words: Int32Array;
  readonly #view: Uint8Array;
  readonly #size: number;
  /** struct timespec in words of 32 bits, of which the upper ones stay 0: a 64-bit number would be a bigint, and garbage. */
  readonly #time = new Int32Array(4);
  readonly #timeView = new Uint8Array(this.#time.buffer);

  /** Room for so many. */
  constructor(size: number) {
    this.#size = size;
    this.#words = new Int32Array(size * EVENT_WORDS);
    this.#view = new Uint8Array(this.#words.buffer);
  }

  /** Waits at most so many milliseconds, or for ever (-1). Returns how many there are. */
  wait(epoll: number, ms: number): number {
    return this.#count(libc.epoll_wait(epoll, this.#view, this.#size, ms));
  }

  /** The same, exact to the nanosecond; a kernel before 5.11 turns without a pause for the last millisecond. */
  waitExactly(epoll: number, ms: number): number {
    if (!hasExactWait) return this.wait(epoll, Math.max(0, Math.floor(ms)));
    const ns = Math.max(0, Math.round(ms * 1e6));
    this.#time[0] = Math.floor(ns / 1e9);
    this.#time[2] = ns % 1e9;
    const n = libc.epoll_pwait2(EPOLL_PWAIT2, epoll, this.#view, this.#size, this.#timeView, null);
    if (n >= 0) return n;
    const number = errno();
    if (number === ENOSYS || number === EPERM) { // by the filter of an old container runtime
      hasExactWait = false;
      return 0; // as if interrupted: it is asked again
    }
    return this.#failed(number);
  }

  /**
   * The same in another thread, so that this one goes on meanwhile; some 0.2 ms late. At most a second, for which a
   * thread that ends has to wait for it.
   */
  async waitBeside(epoll: number): Promise<number> {
    // errno is that of the other thread, and so it cannot be told.
    return Math.max(0, await libc.wait_beside(epoll, this.#view, this.#size, 1000));
  }

  /** What happened: a sum of EVENT. */
  events(i: number): number {
    return this.#words[i * EVENT_WORDS] ?? 0;
  }

  /** To which descriptor. */
  fd(i: number): number {
    return this.#words[i * EVENT_WORDS + EVENT_DATA] ?? 0;
  }

  /** With which check it was watched. */
  check(i: number): number {
    return this.#words[i * EVENT_WORDS + EVENT_DATA + 1] ?? 0;
  }

  #count(n: number): number {
    return n >= 0 ? n : this.#failed(errno());
  }

  #failed(number: number): number {
    if (number === EINTR) return 0;
    throw systemError("epoll_wait", number);
  }
}

const PR_SET_TIMERSLACK = 29;

/** This thread's waits end when they are over, and not up to 50 us later: prctl(2). */
export function waitSharply(): void {
  libc.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
}

/** The number of a network interface, or 0 where there is none of the name. */
export function interfaceIndex(name: string): number {
  return libc.if_nametoindex(new TextEncoder().encode(`${name}\0`));
}
