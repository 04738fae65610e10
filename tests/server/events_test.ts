import { assertMatch } from "@std/assert";
import { EVENTS } from "../../server/events.ts";

Deno.test("one is said in the singular", () => {
  const { say } = EVENTS.stopped;
  const text = say({ duration_ms: 5, served: 1, datagrams: 1, bytes: 1, rejected: 1, refused: 0, failed: 0 });
  assertMatch(text, /: 1 client served, 1 datagram, 1 byte echoed, 1 rejected, 0 refused, 0 failed$/);
  assertMatch(EVENTS.dropped.say({ count: 1 }), /^1 log line was dropped:/);
  assertMatch(EVENTS.worker_died.say({ count: 1, reason: "" }), /, and 1 connection with it/);
});
