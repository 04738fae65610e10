/** What wakes up a load thread by the clock, for each engine. */

import type { Alarm } from "./clock.ts";
import type { Plan } from "./plan.ts";

/** The alarm of a thread of this plan. */
export async function alarmOf({ route, workers }: Plan): Promise<Alarm> {
  if (route.dial.engine === "epoll") {
    const { PollerAlarm } = await import("../net/libc/alarm.ts");
    return new PollerAlarm();
  }
  const { Turner } = await import("./turner.ts");
  return await Turner.open(workers >= navigator.hardwareConcurrency);
}
