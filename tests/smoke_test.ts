import { assertEquals } from "@std/assert";
import { roundTrip, ServerProcess } from "./helpers.ts";
Deno.test("smoke", async () => {
  await using server = await ServerProcess.start();
  const conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello\n"), "hello\n");
  conn.close();
  assertEquals(await server.stop(), 0);
});
