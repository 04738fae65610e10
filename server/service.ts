/** What serves, as the command sees it: its options, its start and stop. */

import type { Address } from "../base/address.ts";
import type { Network } from "../base/ip.ts";
import type { Engine } from "../net/engine.ts";
import type { ListenOptions } from "../net/stream.ts";
import type { ServerTls } from "../net/tls_settings.ts";

/** What a server is told at its start: complete, and checked. */
export interface ServeOptions {
  readonly engine: Engine;
  readonly addresses: readonly Address[];
  readonly listen: ListenOptions;
  /** How many clients are served at once, of all threads together; Infinity: no limit. */
  readonly maxClients: number;
  /** Milliseconds until a silent client is closed; Infinity: it may stay. */
  readonly idleTimeout: number;
  /** Milliseconds until a client is cut off that takes nothing of its echo; Infinity: it may stay. */
  readonly writeTimeout: number;
  /** Milliseconds that clients have to finish after the stop. */
  readonly drain: number;
  /** Whose PROXY headers are believed; undefined: there are none on the wire. */
  readonly trust: readonly Network[] | undefined;
}

/** What a service calls when it is so far, each once. */
export interface Milestones {
  /** All addresses, with the ports that were really bound. */
  listening(addresses: string[]): void;
  /** Nobody is let in any more, and the drain begins. */
  stopping(): void;
}

/** What serves, on one thread or on several. */
export interface Service {
  /** Serves until `stop` aborts; then drains and resolves. Throws Failure if an address cannot be listened on. */
  run(stop: AbortSignal, told: Milestones): Promise<void>;
  /** Brings the totals up to date: a connection adds its bytes when it ends. */
  count(): Promise<void>;
  /** Other certificates for the clients that come from now on. */
  renew(tls: ServerTls): void;
}
