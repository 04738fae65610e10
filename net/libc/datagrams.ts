/** UDP by recvmmsg(2) and sendmmsg(2): udp(7). */

import { ipBytes } from "../../base/ip.ts";
import type { DatagramOptions, DatagramSocket, Echoer, Receiver } from "../datagram_socket.ts";
import { addressesOf } from "../names.ts";
import type { Endpoint } from "../stream.ts";
import { DatagramBatch } from "./datagram_batch.ts";
import { EVENT } from "./libc.ts";
import * as libc from "./libc.ts";
import { poller } from "./poller.ts";
import { endpointOf, familyOf, inetAddress } from "./sockaddr.ts";
import { Socket } from "./sockets.ts";
import { prepareWay } from "./way.ts";

const READABLE = EVENT.in | EVENT.error | EVENT.hangUp;
const WRITABLE = EVENT.out | EVENT.error | EVENT.hangUp;

/** Of all the sockets of this thread that receive: a batch is over when the call ends in which it was taken. */
let shared: DatagramBatch | undefined;

/** What is done with what arrives. */
interface Work {
  readonly batch: DatagramBatch;
  /** With a new batch. */
  begin(): void;
  /** What is left of it; false: it takes a socket that is writable. */
  goOn(fd: number): boolean;
  /** The socket is closed. */
  giveUp(error: Error): void;
  readonly reject: (error: unknown) => void;
}

/** See DatagramSocket. */
class LibcDatagramSocket extends Socket implements DatagramSocket {
  readonly local: Endpoint;
  readonly #to: Uint8Array;
  readonly #replies: Uint8Array;
  #readable = false;
  #watchesWritable = false;
  /** The work waits until the socket is writable. */
  #blocked = false;
  /** It has asked for its turn. With another one for each event of a flood, nobody else would get theirs in the end. */
  #queued = false;
  #work: Work | undefined;
  /** Of a send that waits. */
  #writable: PromiseWithResolvers<void> | undefined;

  /** Takes a descriptor over that is bound. */
  constructor(fd: number, to: Uint8Array, replies: Uint8Array) {
    super(fd, EVENT.in);
    this.local = endpointOf(libc.localAddress(this.fd));
    this.#to = to;
    this.#replies = replies;
  }

  receive(receiver: Receiver): Promise<never> {
    const batch = shared ??= new DatagramBatch();
    return this.#do(batch, {
      begin: () => {
        const now = performance.now();
        batch.expected = this.#replies;
        for (let i = 0; batch.show(i); i++) receiver.take(batch, now);
        receiver.taken(now);
      },
      goOn: () => true,
      giveUp() {},
    });
  }

  echo(echoer: Echoer): Promise<never> {
    const batch = new DatagramBatch();
    return this.#do(batch, {
      begin: () => batch.choose(echoer),
      goOn: (fd) => batch.sendBack(fd, echoer),
      giveUp: (error) => batch.giveUp(echoer, error),
    });
  }

  /** Of an error that is told to all who send there is none: the socket is not connected, so that strays are seen. */
  send(datagram: Uint8Array): number | Promise<number> {
    poller.busy = true;
    const n = libc.sendTo(this.fd, datagram, this.#to);
    return n === libc.WOULD_BLOCK ? this.#sendLater(datagram) : n;
  }

  /** See `DatagramSocket`. */
  expecting(answer: boolean): void {
    if (answer) poller.expect();
    else poller.calm();
  }

  override onEvents(events: number): void {
    if ((events & READABLE) !== 0) this.#readable = true;
    if ((events & WRITABLE) !== 0 && this.#watchesWritable) {
      this.#watchWritable(false);
      this.#blocked = false;
      this.#writable?.resolve();
    }
    if (!this.#queued) this.#go();
  }

  override onTurn(): void {
    this.#queued = false;
    this.#go();
  }

  protected override onClose(error: Error): void {
    const work = this.#work;
    this.#work = undefined;
    this.#writable?.reject(error);
    work?.giveUp(error);
    work?.reject(error);
  }

  async #sendLater(datagram: Uint8Array): Promise<number> {
    for (;;) {
      const writable = this.#writable = Promise.withResolvers<void>();
      this.#watchWritable(true);
      await writable.promise;
      const n = libc.sendTo(this.fd, datagram, this.#to);
      if (n !== libc.WOULD_BLOCK) return n;
    }
  }

  #watchWritable(watches: boolean): void {
    this.#watchesWritable = watches;
    this.watch(watches ? EVENT.in | EVENT.out : EVENT.in);
  }

  #do(batch: DatagramBatch, work: Omit<Work, "batch" | "reject">): Promise<never> {
    const { promise, reject } = Promise.withResolvers<never>();
    void this.fd; // throws where it is closed
    this.#work = { ...work, batch, reject };
    if (this.#readable) this.#queue(); // an error came before what is there
    return promise;
  }

  #queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    poller.again(this);
  }

  /** One batch, so that others get their turn. */
  #go(): void {
    const work = this.#work;
    if (work === undefined || this.#blocked) return;
    try {
      if (!this.#goOn(work) || !this.#readable) return;
      poller.busy = true;
      const n = work.batch.receive(this.fd);
      // A batch with room left has taken all: what comes later is an event of its own (epoll(7)).
      if (work.batch.isFull) this.#queue();
      else this.#readable = false;
      if (n === libc.WOULD_BLOCK) return;
      work.begin();
      if (!this.closed) this.#goOn(work);
    } catch (error) {
      this.#work = undefined;
      work.reject(error);
    }
  }

  #goOn(work: Work): boolean {
    this.#blocked = !work.goOn(this.fd);
    if (this.#blocked) this.#watchWritable(true);
    return !this.#blocked;
  }
}

/** Binds one. The other end of a client is not connected to: what comes from elsewhere is seen then, and said. */
export async function open({ local, to, way }: DatagramOptions): Promise<DatagramSocket> {
  const [ip = ""] = await addressesOf(local.hostname, undefined, new AbortController().signal);
  const sockaddr = inetAddress(ip, local.port);
  const family = familyOf(sockaddr);
  const there = to === undefined ? NOWHERE : inetAddress(to.hostname, to.port);
  const replies = to === undefined ? NOWHERE : inetAddress(replyHost(to.hostname), to.port);
  const fd = libc.socket(family, libc.TYPE.datagram);
  try {
    libc.setOption(fd, "broadcast", 1);
    if (way !== undefined) prepareWay(fd, family, way);
    libc.bind(fd, sockaddr);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return new LibcDatagramSocket(fd, there, replies);
}

const NOWHERE = new Uint8Array();

/** What is sent to the unspecified address goes to this machine, and comes back from its loopback address. */
function replyHost(ip: string): string {
  if (ipBytes(ip)?.some((byte) => byte !== 0) !== false) return ip;
  return ip.includes(":") ? "::1" : "127.0.0.1";
}
