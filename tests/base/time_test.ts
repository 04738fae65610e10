import { assertEquals, assertRejects } from "@std/assert";
import { pause, unlessAborted, within } from "../../base/time.ts";

Deno.test("a pause ends with its time, or with its stop", async () => {
  await pause(1);
  const stop = new AbortController();
  const paused = pause(60_000, stop.signal);
  stop.abort();
  await paused;
  await pause(60_000, stop.signal);
});

Deno.test("work in time is worth what it comes to, and late work what stands in for it", async () => {
  assertEquals(await within(60_000, Promise.resolve("done"), () => "late"), "done");
  assertEquals(await within(1, new Promise(() => {}), () => "late"), "late");
  await assertRejects(
    () => within(60_000, Promise.reject(new Error("broken")), () => "late"),
    Error,
    "broken",
  );
  const late = () => {
    throw new Error("late");
  };
  await assertRejects(() => within(1, new Promise(() => {}), late), Error, "late");
});

Deno.test("work that fails when nobody waits for it any more disturbs nobody", async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  assertEquals(await within(1, promise, () => "late"), "late");
  reject(new Error("too late"));
  await pause(1);
});

Deno.test("work that is waited for until a stop is given up at the stop, before it began too", async () => {
  const aborted = () => {
    throw new Error("stopped");
  };
  const stop = new AbortController();
  assertEquals(await unlessAborted(stop.signal, Promise.resolve("done"), aborted), "done");
  const given = unlessAborted(stop.signal, new Promise(() => {}), aborted);
  stop.abort();
  await assertRejects(() => given, Error, "stopped");
  await assertRejects(() => unlessAborted(stop.signal, new Promise(() => {}), aborted), Error, "stopped");
});
