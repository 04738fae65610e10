/** Sockets as objects: each owns its descriptor, and closes it once. */

import { EVENT } from "./libc.ts";
import * as libc from "./libc.ts";
import type { Accepted, Endpoint, Stream } from "../stream.ts";
import { endpointOf, familyOf } from "./sockaddr.ts";
import { poller, type Source } from "./poller.ts";

const { WOULD_BLOCK } = libc;
const BROKEN = EVENT.peerEnded | EVENT.hangUp | EVENT.error | EVENT.urgent;
const READABLE = EVENT.in | BROKEN;
/** What a connection is watched for from the start. */
const COMING = EVENT.in | EVENT.peerEnded | EVENT.urgent;
const WRITABLE = EVENT.out | EVENT.hangUp | EVENT.error;
/** So many bytes may be read in a row, before the others get their turn; a read counts for so many more. */
const BYTES_IN_A_ROW = 256 << 10;
const COST_OF_READ = 16 << 10;
/** So many clients in a row, some 5 ms: those who wait longest to be let in wait for all that the others have sent. */
const CLIENTS_IN_A_ROW = 512;

function closedError(): Error {
  return new Deno.errors.Interrupted("the socket was closed");
}

type Resolve<T> = (value: T) => void;
type Reject = (error: unknown) => void;

/** An open socket that the poller watches. The number of its descriptor is used by this object alone, until `close`. */
export abstract class Socket implements Source {
  check = 0;
  /** -1: it is closed, so that no call can reach whoever has the number now. */
  #fd: number;

  /** Takes a descriptor over. If it cannot be watched, it is closed. */
  constructor(fd: number, events: number) {
    this.#fd = fd;
    try {
      poller.add(fd, this, events);
    } catch (error) {
      this.#fd = -1;
      libc.close(fd);
      throw error;
    }
  }

  /** The number, for one call: it must not be kept. Throws where it is closed. */
  protected get fd(): number {
    if (this.#fd === -1) throw closedError();
    return this.#fd;
  }

  /** What was ready, or failed. */
  abstract onEvents(events: number): void;
  /** Its turn among those that can always go on. */
  abstract onTurn(): void;
  /** It is closed; whoever waits is told. */
  protected abstract onClose(error: Error): void;

  /** Once; later calls do nothing. */
  close(): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    poller.changing = true;
    poller.forget(fd);
    libc.close(fd);
    this.onClose(closedError());
  }

  /** Watches for these events from now on. */
  protected watch(events: number): void {
    poller.change(this.#fd, this, events);
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#fd === -1;
  }
}

interface Writer {
  /** It may be writable. */
  go(): void;
  readonly reject: Reject;
}

const nobody = () => {};
/** How the promise that was made last is settled. */
let settleIt: Resolve<never>;
/** For `new Promise`: the same function for all, since one for each would be garbage. */
const take = (resolve: Resolve<never>) => {
  settleIt = resolve;
};

/** A connection. */
export class StreamSocket extends Socket implements Stream {
  /** A read may find something: the first message often comes while its sender is let in. */
  #readable = true;
  /** A read that came short has not taken all: the end has come behind it, or urgent data, of which it stops short. */
  #broken = false;
  /** See `Stream`. */
  arrivedAt = 0;
  #inARow = 0;
  #into: Uint8Array | undefined;
  /** Something is waited for, and not yet where it goes to. */
  #awaited = false;
  /** Rejects too, when it gets a promise that is rejected: one function less for each client to keep. */
  #settleRead: Resolve<number | null | Promise<never>> = nobody;
  #writable = true;
  #watchesWritable = false;
  /** Waits for room, or for the connection that is being made. */
  #writer: Writer | undefined;

  /** Of a socket that is connected, or `connects`. */
  constructor(fd: number, connects = false) {
    super(fd, COMING | (connects ? EVENT.out : 0));
    this.#writable = !connects;
    this.#watchesWritable = connects;
  }

  /** Resolves when what connects is connected. */
  async connected(): Promise<void> {
    poller.expect();
    if (this.closed) throw closedError();
    const made = Promise.withResolvers<void>();
    this.#writer = { go: () => made.resolve(), reject: made.reject };
    await made.promise;
    poller.changing = true;
    poller.calm();
    const error = libc.pendingError(this.fd, "connect");
    if (error !== undefined) throw error;
  }

  /** Our end and the other one, of a connection over IP. */
  ends(): { local: Endpoint; remote: Endpoint } {
    const local = endpointOf(libc.localAddress(this.fd));
    return { local, remote: endpointOf(libc.peerAddress(this.fd)) };
  }

  /** See `Stream`. */
  arrival(): Promise<void> | undefined {
    if (this.#readable && this.#inARow < BYTES_IN_A_ROW) return undefined;
    if (this.closed) throw closedError();
    if (this.#readable) poller.again(this);
    this.#inARow = 0;
    this.#awaited = true;
    const promise = new Promise<void>(take);
    this.#settleRead = settleIt as unknown as Resolve<number | null | Promise<never>>;
    return promise;
  }

  /** See `Stream`. What is there is returned at once, without a promise. */
  read(into: Uint8Array): number | null | Promise<number | null> {
    if (this.#readable && this.#inARow < BYTES_IN_A_ROW) {
      const n = this.#receive(into);
      if (n !== WOULD_BLOCK) {
        this.#inARow += n + COST_OF_READ;
        return n === 0 ? null : n;
      }
    }
    if (this.closed) throw closedError();
    if (this.#readable) poller.again(this);
    this.#inARow = 0;
    this.#into = into;
    const promise = new Promise<number | null>(take);
    this.#settleRead = settleIt as Resolve<number | null | Promise<never>>;
    return promise;
  }

  /** See `Stream`. */
  write(bytes: Uint8Array): number | Promise<number> {
    if (this.#writable) {
      const n = this.#send(bytes);
      if (n !== WOULD_BLOCK) return n;
    }
    if (this.closed) throw closedError();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const go = () => {
      const n = this.#send(bytes);
      if (n === WOULD_BLOCK) this.#writer = { go, reject };
      else resolve(n);
    };
    this.#writer = { go, reject };
    if (!this.#watchesWritable) {
      this.#watchesWritable = true;
      this.watch(COMING | EVENT.out);
    }
    return promise;
  }

  /** See `Stream`. */
  // deno-lint-ignore require-await -- so that an error is a rejection
  async closeWrite(): Promise<void> {
    libc.shutdownWrite(this.fd);
  }

  /** See `Stream`. */
  expecting(answer: boolean): void {
    if (answer) poller.expect();
    else poller.calm();
  }

  override onEvents(events: number): void {
    if ((events & READABLE) !== 0) {
      this.#readable = true;
      if ((events & BROKEN) !== 0) this.#broken = true;
      this.arrivedAt = poller.wokeAt;
      this.#finishRead();
    }
    if ((events & WRITABLE) !== 0) {
      this.#writable = true;
      this.#finishWrite();
    }
  }

  override onTurn(): void {
    this.#finishRead();
  }

  protected override onClose(error: Error): void {
    if (this.#into !== undefined || this.#awaited) this.#settleRead(Promise.reject(error));
    this.#awaited = false;
    this.#writer?.reject(error);
    this.#into = this.#writer = undefined;
  }

  #receive(into: Uint8Array): number {
    poller.busy = true;
    const n = libc.receive(this.fd, into);
    // A read that came short has taken all: what comes later is an event of its own (epoll(7)).
    if (n === WOULD_BLOCK || n < into.length && !this.#broken) this.#readable = false;
    return n;
  }

  #send(bytes: Uint8Array): number {
    poller.busy = true;
    const n = libc.send(this.fd, bytes);
    if (n < bytes.length) this.#writable = false;
    return n;
  }

  #finishRead(): void {
    if (this.#awaited) {
      this.#awaited = false;
      this.#settleRead(null);
    }
    const into = this.#into;
    if (into === undefined) return;
    try {
      const n = this.#receive(into);
      if (n === WOULD_BLOCK) return;
      this.#into = undefined;
      this.#settleRead(n === 0 ? null : n);
    } catch (error) {
      this.#into = undefined;
      this.#settleRead(Promise.reject(error));
    }
  }

  #finishWrite(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    try {
      writer?.go();
    } catch (error) {
      writer?.reject(error);
    }
  }
}

/**
 * A connection to that sockaddr, of the class that `make` makes of a socket that connects; `prepare` is called with the
 * descriptor first. Ends when `signal` aborts.
 */
export async function connectTo<S extends StreamSocket>(
  sockaddr: Uint8Array,
  signal: AbortSignal,
  make: (fd: number) => S,
  prepare: (fd: number) => void = () => {},
): Promise<S> {
  const fd = libc.socket(familyOf(sockaddr), libc.TYPE.stream);
  try {
    prepare(fd);
    libc.connect(fd, sockaddr);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  const stream = make(fd);
  const abort = () => stream.close();
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    await stream.connected();
    return stream;
  } catch (error) {
    stream.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** A socket that listens. */
export class ListenerSocket extends Socket {
  readonly #welcome: (client: StreamSocket) => Accepted;
  #ready = true;
  #inARow = 0;
  #waiting: PromiseWithResolvers<void> | undefined;

  /** Of a socket that listens. `welcome` is called while the address of the client is in `addressView`. */
  constructor(fd: number, welcome: (client: StreamSocket) => Accepted) {
    super(fd, EVENT.in);
    this.#welcome = welcome;
  }

  /** See `Listener`. */
  async accept(): Promise<Accepted> {
    for (;;) {
      if (this.#ready && this.#inARow < CLIENTS_IN_A_ROW) {
        this.#inARow++;
        poller.busy = true;
        const client = libc.accept(this.fd); // where it throws, whoever waits there may be accepted later
        if (client !== WOULD_BLOCK) return this.#welcome(new StreamSocket(client));
        this.#ready = false;
      }
      this.#inARow = 0;
      if (this.#ready) poller.again(this);
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  override onEvents(): void {
    this.#ready = true;
    this.onTurn();
  }

  override onTurn(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
  }

  protected override onClose(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}
