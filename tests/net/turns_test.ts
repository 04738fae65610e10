import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { Turns } from "../../net/turns.ts";

/** More than one turn of the event loop serves. */
const CROWD = 400;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A timer may still be running when the queue is empty. */
const unwatched = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

function crowd(): Turns {
  const turns = new Turns();
  for (let i = 0; i < CROWD; i++) turns.join();
  assert(turns.crowded);
  return turns;
}

Deno.test("connections read again in the order in which they were served", async () => {
  const turns = crowd();
  const order: number[] = [];
  const served = Array.from({ length: CROWD }, (_, i) => i);
  await Promise.all(served.map((i) => turns.next().then(() => order.push(i))));
  assertEquals(order, served);
  await unwatched();
});

Deno.test("clients that are quiet after their turn hold up nobody for long", async () => {
  const turns = crowd();
  let free = 0;
  const serve = (n: number) => {
    for (let i = 0; i < n; i++) turns.next().then(() => free++);
  };
  serve(CROWD); // all of them quiet from now on
  await turn();
  let others = 0;
  for (; free < CROWD; others++) {
    serve(1);
    for (let i = 0; i < 5; i++) await turn();
  }
  assert(others < CROWD / 16, `the last one was free after ${others} messages of others`);
  for (let i = 0; i < 5; i++) await turn();
  assertEquals(free, CROWD + others);
  await unwatched();
});

Deno.test("those who wait may read again when the others have left", async () => {
  const turns = crowd();
  const waiting = Array.from({ length: CROWD / 2 }, () => turns.next());
  for (let i = 0; i < CROWD - 1; i++) turns.leave();
  assert(!turns.crowded);
  await Promise.all(waiting);
  await unwatched();
});
