/** Out of file descriptors: what a server does then. */

import { isOutOfDescriptors } from "../base/errors.ts";
import { openNull } from "../base/platform.ts";
import { pause } from "../base/time.ts";

/** Why a client is turned away then. */
export const OUT_OF_DESCRIPTORS = "out of file descriptors; raise `ulimit -n`";

/** How long the spare descriptor may be lent to a newcomer: it goes to whichever listener has one. */
const LENT_MS = 20;
/** How often it is tried to take it back: what was closed is free as soon as Deno has closed it. */
const RETRY_MS = 1;

/**
 * A descriptor in reserve. Without one, a newcomer would wait in the kernel unaccepted, and hear nothing. It is lent
 * for a moment, so that the newcomer can be accepted, and then turned away or let in where another gives way.
 */
export class SpareDescriptor {
  /** undefined: it is lent, or none was to be had. */
  #file = openAny();
  #lent = false;

  /** Somebody has it, and it is to come back. */
  get isLent(): boolean {
    return this.#lent;
  }

  /** Returns whether that can help: not if it is lent already, and not against a shortage of another kind. */
  lend(shortage: unknown): boolean {
    if (this.#file === undefined || !isOutOfDescriptors(shortage)) return false;
    this.#file.close();
    this.#file = undefined;
    this.#lent = true;
    setTimeout(() => this.takeBack(), LENT_MS);
    return true;
  }

  /** Takes back what was lent; returns false where somebody has it. */
  takeBack(): boolean {
    if (!this.#lent) return true;
    this.#file = openAny();
    this.#lent = this.#file === undefined;
    return !this.#lent;
  }

  /** Resolves when it is back, or `stop` aborts. */
  async back(stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !this.takeBack()) await pause(RETRY_MS, stop);
  }

  close(): void {
    this.#lent = false;
    this.#file?.close();
    this.#file = undefined;
  }
}

function openAny(): Deno.FsFile | undefined {
  try {
    return openNull();
  } catch {
    return undefined; // short of descriptors already, or no /dev
  }
}
