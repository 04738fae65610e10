/**
 * The program for Linux on arm64, run by an emulator: Debian's qemu-user-static, with the libraries of
 * libc6-arm64-cross and libgcc-s1-arm64-cross. Both ends are of that processor.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { DIST, programOf, VERSION } from "../../tools/release/names.ts";
import { isFile } from "../support/commands.ts";
import { has, killed, Lines, noise, within } from "../support/helpers.ts";

const EMULATOR = "qemu-aarch64-static";
const LIBRARIES = "/usr/aarch64-linux-gnu";
const PROGRAM = `${DIST}/${programOf("aarch64-unknown-linux-gnu")}`;
/** An emulated start takes 3 s on an idle machine. */
const SLOW_MS = 120_000;
const PATIENT = ["--timeout", "1m"];

const ignore = !has(EMULATOR) || !isFile(`${LIBRARIES}/lib/libgcc_s.so.1`);

function emulated(words: readonly string[], stdin: "null" | "piped"): Deno.ChildProcess {
  const args = ["-L", LIBRARIES, PROGRAM, ...words];
  return new Deno.Command(EMULATOR, { args, stdin, stdout: "piped", stderr: "piped" }).spawn();
}

/** Runs a command to its end, which must be 0. Returns what it wrote to stdout. */
async function echo(words: readonly string[], stdin?: Uint8Array): Promise<Uint8Array> {
  const child = emulated(words, stdin === undefined ? "null" : "piped");
  if (stdin !== undefined) new Blob([stdin as BlobPart]).stream().pipeTo(child.stdin).catch(() => {}); // it may end early
  try {
    const { code, stdout, stderr } = await within(SLOW_MS, `the end of ${words.join(" ")}`, child.output());
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    return stdout;
  } finally {
    await killed(child);
  }
}

async function text(words: readonly string[]): Promise<string> {
  return new TextDecoder().decode(await echo(words));
}

/** A server while `work` is done with its addresses. `words` begins with those to listen on, with port 0. */
async function serving(
  words: readonly string[],
  work: (addresses: readonly string[]) => Promise<void>,
): Promise<void> {
  const child = emulated(["serve", ...words, "--log-format", "json"], "null");
  const log = new Lines(child.stderr);
  const out = child.stdout.cancel();
  try {
    for (const address of words.filter((word) => word.endsWith(":0"))) {
      await log.with(`"address":"${address.replace(/0$/, "")}`, SLOW_MS);
    }
    await work(log.events("listening").map(({ address }) => String(address)));
    child.kill("SIGTERM");
    assertEquals((await within(SLOW_MS, "the end after SIGTERM", child.status)).code, 0);
    assertEquals(log.events("stopped").length, 1);
  } finally {
    await killed(child);
    await Promise.all([out, log.ended]);
  }
}

Deno.test({
  name: "arm64: --version",
  ignore,
  fn: async () => assertMatch(await text(["--version"]), new RegExp(`^\\S+ ${VERSION}\n$`)),
});

Deno.test({
  name: "arm64: serve and connect, over TCP and TLS",
  ignore,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const certificate = `${folder}/cert.pem`;
    const bytes = noise(300_000);
    try {
      const words = ["tcp://127.0.0.1:0", "tls://127.0.0.1:0", "--save-cert", certificate];
      await serving(words, async ([tcp = "", tls = ""]) => {
        assertEquals(await echo(["connect", tcp, ...PATIENT], bytes), bytes);
        assertEquals(await echo(["connect", tls, ...PATIENT, "--ca", certificate], bytes), bytes);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "arm64: ping, over TCP and UDP",
  ignore,
  fn: () =>
    serving(["tcp://127.0.0.1:0", "udp://127.0.0.1:0"], async (addresses) => {
      for (const address of addresses) {
        const report = await text(["ping", "-c", "3", "-i", "100ms", "-W", "1m", address]);
        assertMatch(report, /^3 transmitted, 3 received, 0% loss/m, address);
      }
    }),
});

Deno.test({
  name: "arm64: bench, on two threads",
  ignore,
  fn: () =>
    serving(["tcp://127.0.0.1:0"], async ([address = ""]) => {
      const result = JSON.parse(
        await text(["bench", "-n", "500", "-c", "4", "--workers", "2", "--json", ...PATIENT, address]),
      );
      assertEquals([result.received, result.lost], [result.sent, 0]);
      assert(result.messages >= 500 && result.latency_ms.p50 > 0, JSON.stringify(result));
    }),
});
