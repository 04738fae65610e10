/** Pauses that are kept to some microseconds or, by Deno's own timers, to a millisecond. */

import { pause } from "../base/time.ts";
import { type Engine, engineTraits } from "./engine.ts";

/** The pause of this engine, in milliseconds: where it blocks the thread, Deno's timers come when they get their turn. */
export function pauseOf(engine: Engine): (ms: number) => Promise<void> {
  if (!engineTraits(engine).blocks) return (ms) => pause(ms);
  const loaded = import("./libc/poller.ts");
  return async (ms) => (await loaded).poller.at(performance.now() + ms);
}
