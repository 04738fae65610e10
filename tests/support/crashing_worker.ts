/** The worker of `echo serve --workers`, of which thread 1 dies when the test counts a refusal. */

import "../../threads/server_thread.ts";
import { Totals } from "../../server/totals.ts";
import type { Start } from "../../threads/messages.ts";

self.addEventListener("message", (event: Event) => {
  const { data } = event as MessageEvent<Start>;
  if (data.thread !== 1) return;
  const totals = new Totals(data.memory, data.thread);
  setInterval(() => {
    if (totals.get("refused") === 0) return;
    totals.add("refused", -1);
    throw new Error("the test\x1b[2J said\nso");
  }, 5);
});
