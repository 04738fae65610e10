/** What a pool and its threads say to each other; each is posted, so it is plain data. */

import type { Level } from "../server/events.ts";
import type { Format } from "../server/log.ts";
import type { ServeOptions } from "../server/service.ts";
import type { ServerTls } from "../net/tls_settings.ts";

/** To a thread, first. */
export interface Start {
  readonly options: ServeOptions;
  /** That of the pool's `Totals`. */
  readonly memory: SharedArrayBuffer;
  /** Counts from 0. */
  readonly thread: number;
  readonly level: Level;
  readonly format: Format;
}

/** To a thread, later: to bring the totals up to date, to stop, to show other certificates. */
export type Order = "count" | "stop" | { readonly renew: ServerTls };

/** From a thread. */
export type Report =
  /** Its addresses, with the ports that were really bound. */
  | { readonly listening: string[] }
  /** It lets nobody in any more. */
  | { readonly stopping: true }
  /** Whole lines of its log. */
  | { readonly lines: string }
  /** The answer to "count". */
  | { readonly counted: true }
  /** The last one: why it could not serve, if so. */
  | { readonly ended: string | undefined };
