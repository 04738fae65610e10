/** What `echo connect` asks of a connection and of datagrams alike. */

import type { KernelView } from "../base/kernel_view.ts";
import type { Failure } from "../base/errors.ts";

/** Where bytes come from. `Deno.stdin` is a source. */
export interface Source {
  /** Fills the start of `into`. Returns how many bytes, or null at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/**
 * A client sends, and compares what comes back with what was sent. After the first fault that makes all further bytes
 * worthless the conversation is broken: whoever is inside `during` gets that Failure.
 */
export interface Conversation {
  /** How many bytes came back right. */
  readonly bytes: number;
  /** Further counts, as the end of a sentence. */
  readonly summary: string;
  /** What went wrong without breaking it. */
  readonly fault: Failure | undefined;
  /** Waits for `work`. Throws the Failure that breaks the conversation meanwhile. */
  during<T>(work: Promise<T>): Promise<T>;
  /** Sends all that the source gives. */
  send(source: Source): Promise<void>;
  /**
   * Sends these bytes and waits until they are back. Returns the milliseconds from the first to the last, or undefined
   * if they are lost and the conversation goes on without them.
   */
  exchange(bytes: Uint8Array): Promise<number | undefined>;
  /** Closes our direction and waits for the rest. Returns whether the other end closed its own too, as it should. */
  finish(): Promise<boolean>;
  /** What the kernel says of the connection by now, if it tells. */
  kernelView(): KernelView | undefined;
  /** Breaks it because a signal of this name came. */
  interrupt(name: string): void;
  /** Closes the socket. */
  close(): void;
}
