/** UDP: what connect, ping and bench count, against the books of who lost, doubled, delayed, reordered and changed it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CProgram } from "../support/c_program.ts";
import { ClientProcess } from "../support/client_process.ts";
import { DatagramProxy, type Fate } from "../support/datagram_proxy.ts";
import { has, holds, noise, run } from "../support/helpers.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

const TIMEOUT_MS = 500;
/** A reply comes so much too late, and the client leaves as much later again: where this machine keeps its time. */
const TOO_LATE_MS = 50;

/** Each fate once in fifty; the last datagram of each client has its own. */
function fates(count: number, last: Fate, without: Fate[] = []): (number: number) => Fate {
  const some: Record<number, Fate> = {
    7: "dropped",
    13: "doubled",
    23: "delayed",
    31: "held",
    41: "changed",
  };
  return (number) => {
    if (number === count) return last;
    const fate = some[number % 50] ?? "through";
    // What is held waits for the next one, and connections share the messages as they get to it.
    return without.includes(fate) ? "through" : fate;
  };
}

function proxy(fate: (number: number) => Fate): DatagramProxy {
  return new DatagramProxy(fate, TIMEOUT_MS + TOO_LATE_MS);
}

/** As the JSON of ping and bench counts it. */
function expected({ counts }: DatagramProxy) {
  const { dropped, doubled, delayed, held, changed } = counts;
  const errors = { timeout: dropped + delayed, duplicate: doubled, corrupted: changed };
  return {
    lost: dropped + delayed + changed,
    errors: Object.fromEntries(Object.entries(errors).filter(([, n]) => n > 0)),
    datagrams: { late: delayed, reordered: held, stray: 0 },
  };
}

interface Counted {
  readonly lost: number;
  readonly errors: Record<string, number>;
  readonly datagrams: Record<string, number>;
}

const counted = ({ lost, errors, datagrams }: Counted) => ({
  lost,
  errors: Object.fromEntries(
    ["timeout", "duplicate", "corrupted"].flatMap((k) => k in errors ? [[k, errors[k]]] : []),
  ),
  others: Object.keys(errors).filter((k) => !["timeout", "duplicate", "corrupted"].includes(k)),
  datagrams,
});

const LASTS: readonly Fate[] = ["dropped", "doubled", "delayed", "changed"];

for (
  const [shape, connections] of [["", 1], ["--pipeline 4", 1], ["--pipeline 3 -c 4 -s 1400", 4], [
    "--rate 1000",
    1,
  ]] as const
) {
  Deno.test(`bench ${shape || "one at a time"} counts each lost, late, doubled, reordered and changed datagram, the last too`, async () => {
    await Promise.all(LASTS.map((last) =>
      holds(async () => {
        const each = shape === "" ? 50 : 200;
        using way = proxy(fates(each, last, shape === "" || connections > 1 ? ["held"] : []));
        const words = `bench ${way.address} -n ${
          each * connections
        } --timeout ${TIMEOUT_MS}ms --json ${shape}`
          .trim();
        const { code, stdout } = await run(words.split(" "));
        const result = JSON.parse(text(stdout));
        assertEquals(counted(result), { ...expected(way), others: [] }, `the last is ${last}`);
        assertEquals([code, result.sent, result.received], [
          1,
          each * connections,
          each * connections - result.lost,
        ]);
      })
    ));
  });
}

Deno.test("ping counts each lost, late, doubled, reordered and changed datagram, the last too", async () => {
  await Promise.all(LASTS.map((last) =>
    holds(async () => {
      using way = proxy(fates(100, last));
      const { code, stdout } = await run(
        `ping ${way.address} -c 100 -i 4ms -W ${TIMEOUT_MS}ms --json`.split(" "),
      );
      const end = JSON.parse(text(stdout).trimEnd().split("\n").at(-1)!);
      assertEquals(counted(end), { ...expected(way), others: [] }, `the last is ${last}`);
      assertEquals([code, end.transmitted, end.received], [1, 100, 100 - end.lost]);
    })
  ));
});

Deno.test("connect counts each lost, late, doubled, reordered and changed datagram, the last too", async () => {
  await Promise.all(LASTS.map((last) =>
    holds(async () => {
      using way = proxy(fates(200, last));
      const { code, stderr } = await run(
        `connect ${way.address} --size 100 --timeout ${TIMEOUT_MS}ms`.split(" "),
        { stdin: noise(20_000) },
      );
      const { lost, datagrams: { late, reordered }, errors: { duplicate, corrupted } } = expected(way);
      const counts = `200 datagrams sent, ${200 - lost} received, ${lost} lost, ${late} late, ` +
        `${reordered} reordered, ${duplicate} duplicate, ${corrupted} corrupted\n`;
      assertStringIncludes(stderr, counts, `the last is ${last}`);
      assertMatch(
        stderr,
        /\necho: corrupted: datagram 41: byte 50 came back changed: .*; \d+ of 200 datagrams did not/,
      );
      assertEquals(code, 1);
    })
  ));
});

/** Echoes; after datagram `n` it also sends a second copy, one that nobody sent, and one from another socket. */
function talkative(n: number): Disposable & { readonly port: number } {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const other = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const timers: ReturnType<typeof setTimeout>[] = [];
  (async () => {
    for (let i = 1;; i++) {
      const [datagram, from] = await socket.receive();
      await socket.send(datagram, from);
      if (i !== n) continue;
      timers.push(setTimeout(async () => {
        await socket.send(datagram, from);
        await socket.send(noise(30, 9), from);
        await other.send(datagram, from);
      }, 30));
    }
  })().catch(() => {}); // it is closed at the end of the test
  return {
    port: (socket.addr as Deno.NetAddr).port,
    [Symbol.dispose]() {
      timers.forEach(clearTimeout);
      socket.close();
      other.close();
    },
  };
}

Deno.test("what comes just after the last reply is counted before the summary, and nothing is printed after it", async () => {
  using a = talkative(3);
  using b = talkative(3);
  using c = talkative(3);
  const [ping, bench, connect] = await Promise.all([
    run(`ping udp://127.0.0.1:${a.port} -c 3 -i 5ms --json`.split(" ")),
    run(`bench udp://127.0.0.1:${b.port} -n 3 --json`.split(" ")),
    run(`connect udp://127.0.0.1:${c.port} --size 100`.split(" "), { stdin: noise(300) }),
  ]);
  for (const { stdout, code } of [ping, bench]) {
    const { errors, datagrams } = JSON.parse(text(stdout).trimEnd().split("\n").at(-1)!);
    assertEquals([code, errors, datagrams], [1, { duplicate: 1, surplus: 1 }, {
      late: 0,
      reordered: 0,
      stray: 1,
    }]);
  }
  assertEquals(connect.code, 1);
  assertStringIncludes(
    connect.stderr,
    "3 received, 0 lost, 0 late, 0 reordered, 1 duplicate, 1 surplus, 1 stray",
  );
});

const tool = { ignore: !has("gcc") };

Deno.test({
  name:
    "bench --rate that was stopped for a while sends what is due without a burst that fills a socket's buffer",
  ...tool,
  async fn() {
    using program = await CProgram.build("datagram_echo");
    for (const connections of [16, 64]) {
      await holds(async () => {
        await using server = await program.serve();
        const words =
          `udp://127.0.0.1:${server.port} -c ${connections} --rate 10k -d 700ms --warmup 0 --timeout 1s --json`;
        await using client = new ClientProcess("bench", ...words.split(" "));
        await server.says("first");
        client.kill("SIGSTOP");
        await new Promise((resolve) => setTimeout(resolve, 400));
        client.kill("SIGCONT");
        await client.ended();
        const { sent, received, send_delay_ms } = JSON.parse(client.out.all.join(""));
        assert(send_delay_ms.max >= 300, `it was stopped for ${send_delay_ms.max} ms only`);
        const [reached, answered] = await server.end();
        const what = `-c ${connections}: ${sent} sent, ${reached} reached the server, ${received} came back`;
        assertEquals([sent, answered], [7000, reached]);
        // Of 4,000 that were due: the server may be held up for a moment too, on a busy machine.
        assert(received >= sent - 80, what);
      });
    }
  },
});

Deno.test({
  name: "bench --rate keeps its pace however many datagrams are on their way to a server that is far off",
  ...tool,
  async fn() {
    using program = await CProgram.build("delay_server");
    await holds(async () => {
      await using server = await program.serve("udp", "delay", 150);
      const words = `bench udp://127.0.0.1:${server.port} -c 4 --rate 10k -d 400ms --warmup 0 --json`;
      const { stdout } = await run(words.split(" "));
      const { received, latency_ms: { p50 } } = JSON.parse(text(stdout));
      assertEquals(received, 4000);
      assert(p50 < 155, `p50 ${p50} ms where the server takes 150 ms`);
    });
  },
});
