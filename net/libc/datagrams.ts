/** UDP by the system calls themselves: udp(7). */

import { RECEIVE_BUFFER } from "../datagrams.ts";
import type { Arrival, DatagramService, Rules } from "../datagram_service.ts";
import { addressesOf } from "../names.ts";
import type { Endpoint } from "../stream.ts";
import { DatagramBatch } from "./datagram_batch.ts";
import { EVENT } from "./libc.ts";
import * as libc from "./libc.ts";
import { poller } from "./poller.ts";
import { endpointOf, familyOf, inetAddress, isLinkLocal, portOf } from "./sockaddr.ts";
import { Socket } from "./sockets.ts";

/** How many datagrams a call takes. */
const BATCH = 64;
/** So many calls in a row before the others get their turn. */
const IN_A_ROW = 4;
/** After a failed receive, so that one that fails for ever does not spin. */
const FAULT_PAUSE_MS = 10;

/** See `OpenDatagrams`. */
export async function openDatagrams(hostname: string, port: number): Promise<DatagramService> {
  const [ip = ""] = await addressesOf(hostname, undefined, new AbortController().signal);
  const sockaddr = inetAddress(ip, port);
  const fd = libc.socket(familyOf(sockaddr), libc.TYPE.datagram);
  try {
    libc.bind(fd, sockaddr);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  return new DatagramSocket(fd);
}

class DatagramSocket extends Socket implements DatagramService {
  readonly local: Endpoint;
  readonly isLinkLocal: boolean;
  readonly #batch = new DatagramBatch(BATCH, RECEIVE_BUFFER);
  readonly #arrival = new BatchArrival(this.#batch);
  readonly #closed = Promise.withResolvers<void>();
  #rules: Rules | undefined;
  /** What came is not taken now: the answers to what came before do not fit, or a call has failed. */
  #held = false;
  #watchesWritable = false;

  /** Of a socket that is bound. */
  constructor(fd: number) {
    super(fd, EVENT.in);
    const bound = libc.localAddress(fd);
    this.local = endpointOf(bound);
    this.isLinkLocal = isLinkLocal(bound);
  }

  echo(rules: Rules): Promise<void> {
    this.#rules = rules;
    poller.again(this); // it may have come already
    return this.#closed.promise;
  }

  override onEvents(events: number): void {
    if ((events & EVENT.out) !== 0 && this.#batch.next !== undefined) this.#held = !this.#answer();
    this.onTurn();
  }

  override onTurn(): void {
    const rules = this.#rules;
    if (rules === undefined) return;
    for (let i = 0; i < IN_A_ROW; i++) {
      if (this.#held || this.closed || !this.#serve(rules)) return;
    }
    poller.again(this);
  }

  protected override onClose(): void {
    this.#closed.resolve();
  }

  /** Takes a batch and answers it; returns whether there may be more. */
  #serve(rules: Rules): boolean {
    const batch = this.#batch;
    let n: number;
    try {
      n = batch.receive(this.fd);
    } catch (error) {
      rules.receiveFailed(error);
      this.#held = true;
      setTimeout(() => {
        this.#held = false;
        this.onTurn();
      }, FAULT_PAUSE_MS);
      return false;
    }
    if (n === libc.WOULD_BLOCK) return false;
    for (let i = 0; i < n; i++) {
      this.#arrival.index = i;
      if (rules.admits(this.#arrival)) batch.choose(i);
    }
    this.#held = !this.#answer();
    return batch.isFull;
  }

  /** Sends the answers that are ready; returns false where they must wait for room. */
  #answer(): boolean {
    const batch = this.#batch;
    for (let next = batch.next; next !== undefined; next = batch.next) {
      try {
        const sent = batch.send(this.fd);
        if (sent === libc.WOULD_BLOCK) return this.#waitForRoom();
        this.#rules?.sent(sent, batch.sentBytes);
      } catch (error) {
        this.#arrival.index = next;
        this.#rules?.sendFailed(this.#arrival, error);
        batch.skip();
      }
    }
    return true;
  }

  #waitForRoom(): false {
    if (!this.#watchesWritable) {
      this.#watchesWritable = true;
      this.watch(EVENT.in | EVENT.out);
    }
    return false;
  }
}

/** One of a batch. What is not asked for is not made. */
class BatchArrival implements Arrival {
  index = 0;
  readonly #batch: DatagramBatch;

  constructor(batch: DatagramBatch) {
    this.#batch = batch;
  }

  get hostname(): string {
    return endpointOf(this.#batch.names, this.#batch.nameAt(this.index)).hostname;
  }

  get port(): number {
    return portOf(this.#batch.names, this.#batch.nameAt(this.index));
  }

  get isLinkLocal(): boolean {
    return isLinkLocal(this.#batch.names, this.#batch.nameAt(this.index));
  }

  get datagram(): Uint8Array {
    return this.#batch.datagram(this.index);
  }
}
