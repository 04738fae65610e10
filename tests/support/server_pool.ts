/**
 * Two workers, of which one dies when every descriptor of the process is taken (prlimit makes them few). Prints the
 * events of the log, and ends when the worker serves again.
 */

import type { EventName, Fields } from "../../server/events.ts";
import { LineWriter } from "../../server/line_writer.ts";
import { Totals } from "../../server/totals.ts";
import { ServerPool } from "../../threads/pool.ts";
import { engineUnderTest, roundTrip } from "./helpers.ts";

const HELD_UNTIL_FAILURE = 2;

const held: Deno.FsFile[] = [];
let failures = 0;
const log = {
  wants: () => true,
  write(event: EventName, fields: Fields) {
    console.log(JSON.stringify({ event, ...fields }));
    if (event !== "restart_failed" || ++failures < HELD_UNTIL_FAILURE) return;
    for (const file of held.splice(0)) file.close();
  },
};
const options = {
  engine: engineUnderTest(),
  addresses: [{ scheme: "tcp", host: "127.0.0.1", port: 0 }] as const,
  listen: { shared: false, socketMode: undefined, tls: undefined },
  maxClients: 100,
  idleTimeout: Infinity,
  writeTimeout: 60_000,
  drain: 1000,
  trust: undefined,
};
const totals = new Totals(Totals.memory(2));
const writer = new LineWriter({ write: (bytes) => Promise.resolve(bytes.length) });
const module = new URL("./crashing_worker.ts", import.meta.url);
const pool = new ServerPool(options, 2, totals, { log, writer, level: "warn", format: "json" }, module);
const stop = new AbortController();
const listening = Promise.withResolvers<string[]>();
const ended = pool.run(stop.signal, { listening: listening.resolve, stopping() {} });
const port = Number(/\d+$/.exec((await listening.promise)[0]!)![0]);
try {
  for (;;) held.push(Deno.openSync("/dev/null"));
} catch { /* there are no more */ }
totals.add("refused", 1); // what the worker waits for, to die
while (failures < HELD_UNTIL_FAILURE) await new Promise((resolve) => setTimeout(resolve, 20));
while (totals.threads[1] === 0) {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await roundTrip(conn, "who serves?");
  if (totals.threads[1] === 0) await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log(JSON.stringify({ event: "serves again" }));
stop.abort("the test");
await ended;
Deno.exit(0);
