/** What wakes up a load thread by the clock, for each engine. */

import type { Alarm } from "./clock.ts";
import type { Plan } from "./plan.ts";

/** For so long Deno's timers wait in a thread that blocks for its own events: their turn takes 0.2 ms of each. */
const EPOLL_TURN_MS = 40;

/** The alarm of a thread of this plan that sends by the clock. */
export async function alarmOf(plan: Plan): Promise<Alarm> {
  if (plan.route.dial.engine === "epoll") return await openTimer(plan);
  const { Turner } = await import("./turner.ts");
  return await Turner.open(plan.workers >= navigator.hardwareConcurrency);
}

/** An alarm that is exact to milliseconds, where the engine has no better one. */
export async function openTimer(plan: Plan): Promise<Alarm> {
  if (plan.route.dial.engine !== "epoll") return new DenoTimer();
  const { PollerAlarm } = await import("../net/libc/alarm.ts");
  return new PollerAlarm(EPOLL_TURN_MS);
}

/** `setTimeout`. */
class DenoTimer implements Alarm {
  #timer: ReturnType<typeof setTimeout> | undefined;

  at(time: number, wake: () => void): void {
    this.#timer = setTimeout(wake, Math.max(0, time - performance.now()));
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
