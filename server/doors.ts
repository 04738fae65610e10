/** Where clients come in. */

import type { Listener } from "../net/stream.ts";
import type { ServerTls } from "../net/tls_settings.ts";
import type { Totals } from "./totals.ts";

/** A listener with its accept loop, or a UDP socket with its own loop. */
export interface Door {
  /** With the port that was really bound. */
  readonly address: string;
  /** Resolves when nobody comes in any more. */
  serve(stop: AbortSignal): Promise<void>;
  /** Lets nobody in from now on. */
  stop(): void;
  /** Brings the totals up to date. */
  count(): void;
  /** Shows this to the clients that come from now on. */
  renew?(tls: ServerTls): void;
  /** In place of all that, if another address cannot be listened on. */
  close(): void;
}

/** A door for connections. */
export class ListenerDoor implements Door {
  readonly #listener: Listener;
  readonly #acceptAll: (listener: Listener, stop: AbortSignal) => Promise<void>;
  readonly #totals: Totals;
  /** What the totals have of those that are closing. */
  #counted = 0;

  constructor(
    listener: Listener,
    acceptAll: (listener: Listener, stop: AbortSignal) => Promise<void>,
    totals: Totals,
  ) {
    this.#listener = listener;
    this.#acceptAll = acceptAll;
    this.#totals = totals;
  }

  get address(): string {
    return this.#listener.address;
  }

  serve(stop: AbortSignal): Promise<void> {
    return this.#acceptAll(this.#listener, stop);
  }

  stop(): void {
    this.#listener.close();
  }

  count(): void {
    const closing = this.#listener.closing?.() ?? 0;
    this.#totals.add("closing", closing - this.#counted);
    this.#counted = closing;
  }

  renew(tls: ServerTls): void {
    this.#listener.renew?.(tls);
  }

  close(): void {
    this.#listener.close();
  }
}
