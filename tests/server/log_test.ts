/** The log of a running server: no line is forged, none makes it wait, each names its client. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type EventName, EVENTS } from "../../server/events.ts";
import {
  loggedBytes,
  noise,
  readUpTo,
  roundTrip,
  ServerProcess,
  until,
  within,
  writeAll,
} from "../support/helpers.ts";
import { closeAll, many } from "../support/conns.ts";
import { startSilent } from "../support/silent_server.ts";

Deno.test("fault 3: 1,024 bytes come back exactly, and the log shows not one more", async () => {
  await using server = await ServerProcess.start();
  using conn = await server.connect();
  await writeAll(conn, noise(40_000)); // what a later message must not show
  await readUpTo(conn, 40_000);
  await until("all of it is logged", () => loggedBytes(server) === 40_000);
  const before = server.log.events("message").length;
  assertEquals(await roundTrip(conn, "A".repeat(1024)), "A".repeat(1024));
  assertEquals(await roundTrip(conn, "b"), "b");
  await server.log.with('"text":"\\"b\\""');
  const messages = server.log.events("message").slice(before);
  const of = (letter: string) => messages.filter(({ text }) => String(text).includes(letter));
  assertEquals(of("A").reduce((sum, { bytes }) => sum + Number(bytes), 0), 1024);
  for (const { text } of of("A")) assertMatch(String(text), /^"A{1,120}"…?$/);
  assertEquals(of("b").map(({ bytes, text }) => [bytes, text]), [[1, '"b"']]);
  assertEquals(messages.length, of("A").length + 1);
});

const HOSTILE = new Uint8Array([
  ...new TextEncoder().encode("\x1b[2J\x07one\n2026-01-01T00:00:00.000Z INFO  #1 left\r\n\0\u{202e}"),
  ...[0xff, 0xfe],
]);

Deno.test("fault 4: raw bytes come back exactly, and the JSON log has one printable line an event", async () => {
  await using server = await ServerProcess.start();
  using conn = await server.connect();
  await writeAll(conn, HOSTILE);
  assertEquals(await readUpTo(conn, HOSTILE.length), HOSTILE);
  await writeAll(conn, new TextEncoder().encode("a\u{202e}b\u{1f600}é")); // valid UTF-8, of which one hides
  await readUpTo(conn, 11);
  await conn.closeWrite();
  await server.log.with('"disconnected"');
  assertEquals(server.log.all.length, 5, server.log.all.join("\n"));
  for (const line of server.log.all) {
    JSON.parse(line);
    assertMatch(line, /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u);
  }
  const [raw, text] = server.log.events("message").map((entry) => String(entry["text"]));
  assertMatch(raw!, /^"\\x1b\[2J\\x07one\\n2026.*\\r\\n\\x00.*\\xff\\xfe"$/);
  assertEquals(text, '"a\\u{202e}b\u{1f600}é"');
});

Deno.test("fault 4: raw bytes cannot forge a line of the text log, nor ring or move at the terminal", async () => {
  await using server = await startSilent([], { stderr: "piped" });
  using conn = await server.connect();
  await writeAll(conn, HOSTILE);
  assertEquals(await readUpTo(conn, HOSTILE.length), HOSTILE);
  server.child.kill("SIGTERM");
  await conn.closeWrite();
  const text = await within(5000, "the end of the log", new Response(server.child.stderr).text());
  assertEquals((await server.child.status).code, 0);
  const lines = text.split("\n").slice(0, -1);
  for (const line of lines) assertMatch(line, /^[\dT:.-]{23}Z (INFO |WARN )[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u);
  assertEquals(lines.filter((line) => line.includes("#1 left")).length, 1 + 1, "its own, and the one quoted");
  assertEquals(lines.filter((line) => / INFO {2}#2 received /.test(line)).length, 1);
});

Deno.test("fault 11: the log names a client by an id that is never used twice", async () => {
  await using server = await ServerProcess.start();
  for (let i = 0; i < 30; i++) {
    const conns = await many(1 + i % 3, () => server.connect()); // one after another: descriptors are used again
    await Promise.all(conns.map((conn) => roundTrip(conn, "hello")));
    closeAll(conns);
  }
  assertEquals(await server.stop(), 0);
  const sessions = (event: string) =>
    server.log.events(event).map(({ client, peer }) => `${client} ${peer}`).sort();
  assertEquals(sessions("connected").length, 60);
  assertEquals(new Set(server.log.events("connected").map(({ client }) => client)).size, 60);
  assertEquals(sessions("disconnected"), sessions("connected"));
  for (const message of sessions("message")) assert(sessions("connected").includes(message));
});

Deno.test("fault 12: nobody reads its stderr: echoing goes on, and the lines that were lost are counted", async () => {
  await using server = await startSilent(["--log-format", "json"], { stderr: "piped" });
  using conn = await server.connect();
  const messages = 15_000; // some 2 MB of log, more than a pipe and the server's buffer hold
  for (let i = 0; i < messages; i++) {
    assertEquals(await within(2000, `echo ${i}`, roundTrip(conn, "unread")), "unread");
  }
  let log = "";
  const reading = server.child.stderr.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({ write: (text) => void (log += text) }),
  );
  await until("it says how many were lost", () => log.includes('"dropped"'));
  assertEquals(await roundTrip(conn, "again"), "again");
  conn.close();
  server.child.kill("SIGTERM");
  assertEquals((await within(5000, "its end", server.child.status)).code, 0);
  await reading;
  const entries = log.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  const dropped = entries.filter(({ event }) => event === "dropped");
  const lost = dropped.reduce((sum, { count }) => sum + count, 0);
  // Two connections (the first was the one that asked whether the port answers), listening, stopping, stopped.
  assertEquals(entries.length - dropped.length + lost, messages + 1 + 4 + 3);
  assertEquals(entries.at(-1).event, "stopped");
});

Deno.test("fault 12: with its stderr stuck it still stops, with 0", async () => {
  await using server = await startSilent([], { stderr: "piped" });
  using conn = await server.connect();
  for (let i = 0; i < 2000; i++) await roundTrip(conn, "x".repeat(200));
  conn.close();
  server.child.kill("SIGTERM");
  assertEquals((await within(3000, "its end", server.child.status)).code, 0);
});

for (
  const [what, redirection] of [["closed", "2>&-"], ["a full disk", "2>/dev/full"]] as const
) {
  Deno.test(`fault 12: with stderr ${what} it serves, and stops with 0`, async () => {
    await using server = await startSilent([], { under: ["sh", "-c", `exec "$@" ${redirection}`, "sh"] });
    using conn = await server.connect();
    for (let i = 0; i < 500; i++) assertEquals(await roundTrip(conn, "unheard"), "unheard");
    server.child.kill("SIGTERM");
    await conn.closeWrite();
    assertEquals((await within(5000, "its end", server.child.status)).code, 0);
  });
}

Deno.test("fault 12: whoever read its stderr has gone: it serves, and stops with 0", async () => {
  await using server = await startSilent([], { stderr: "piped" });
  await server.child.stderr.cancel();
  using conn = await server.connect();
  for (let i = 0; i < 500; i++) assertEquals(await roundTrip(conn, "unheard"), "unheard");
  server.child.kill("SIGTERM");
  await conn.closeWrite();
  assertEquals((await within(5000, "its end", server.child.status)).code, 0);
});

Deno.test("where it listens is said with -q too, with the port that was found and the fingerprint", async () => {
  await using server = await ServerProcess.start(["-q", "127.0.0.1:0", "tls://127.0.0.1:0"]);
  const [plain, secure] = server.log.events("listening");
  assertMatch(String(plain!["address"]), /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/);
  assertMatch(String(secure!["fingerprint"]), /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello"), "hello");
  conn.close(); // else the stop waits for it
  await server.stop();
  assertEquals(server.log.all.length, 2, "and nothing else");
});

Deno.test("a client whose handshake fails is not among the served", async () => {
  await using server = await ServerProcess.start(["127.0.0.1:0", "tls://127.0.0.1:0"]);
  const secure = Number(/:(\d+)$/.exec(String(server.log.events("listening")[1]!["address"]))![1]);
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello"), "hello");
  using garbage = await Deno.connect({ hostname: "127.0.0.1", port: secure });
  await writeAll(garbage, new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
  await server.log.with('"rejected"');
  conn.close(); // else the stop waits for it
  await server.stop();
  const { accepted, served, rejected } = server.log.events("stopped")[0]!;
  assertEquals([accepted, served, rejected], [2, 1, 1]);
});

Deno.test("every key of every line is in the table of events", async () => {
  await using server = await ServerProcess.start(["127.0.0.1:0", "tls://127.0.0.1:0", "--workers", "2"]);
  using conn = await server.connect();
  assertEquals(await roundTrip(conn, "hello"), "hello");
  server.kill("SIGUSR2");
  await server.log.with('"state"');
  conn.close();
  await server.stop();
  const seen = new Set<string>();
  for (const line of server.log.all) {
    const { time: _time, level: _level, event, ...fields } = JSON.parse(line);
    const keys: readonly string[] = EVENTS[event as EventName].keys;
    assertEquals(Object.keys(fields).filter((key) => !keys.includes(key)), [], line);
    seen.add(event);
  }
  for (const event of ["listening", "connected", "message", "state", "disconnected", "stopped"]) {
    assert(seen.has(event), `${event} was not written`);
  }
});
