/** Measures a cell: in each round every contender once, so that the machine's drift falls on all alike. */

import { within } from "../base/time.ts";
import { type Address, DEFAULT_HOST, isDatagram, isLocal } from "../base/address.ts";
import { Failure } from "../base/errors.ts";
import type { Cell, Contender } from "./cells.ts";
import type { Kit } from "./kit.ts";
import { output, Program, type ProgramOptions, until } from "./program.ts";

/** One round of one contender. */
export interface Figure {
  /** Messages or connections a second, or bytes a connection. */
  readonly value: number;
  /** Milliseconds; null where there are too few messages to tell. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  /** Connections on which nothing came back in all the measured time. */
  readonly starved: number;
}

/** What the rounds of one contender say together; without a figure the value is NaN. */
export interface Row extends Figure {
  readonly contender: Contender;
  /** Half the way from the lowest to the highest of the rounds, as a share of the median; one round has none. */
  readonly spread: number | undefined;
  /** Why some rounds gave no figure. */
  readonly failure: string | undefined;
}

/** How often and how long each contender is measured. */
export interface Timing {
  readonly rounds: number;
  readonly seconds: number;
}

const START_MS = 15_000;
/** How long the C load waits for each answer, and a client of 1,000 forking servers for its turn. */
const SLACK_SECONDS = 30;
const PROBE_MS = 100;
/** Time to collect garbage, before memory is read. */
const SETTLE_MS = 1000;
const LONGEST_WARMUP_SECONDS = 0.3;

/** Measures all rounds of a cell. A contender that fails has no figures, and says why. */
export async function measure(cell: Cell, kit: Kit, { rounds, seconds }: Timing): Promise<Row[]> {
  const found = cell.contenders.map((contender) => ({ contender, figures: [] as Figure[], failure: "" }));
  for (let round = 0; round < (cell.work.kind === "memory" ? 1 : rounds); round++) {
    for (const row of found) {
      try {
        row.figures.push(await once(cell, row.contender, kit, seconds));
      } catch (error) {
        kit.stop.throwIfAborted();
        if (!(error instanceof Failure)) throw error;
        row.failure = error.message;
      }
    }
  }
  return found.map(({ contender, figures, failure }) => {
    const values = figures.map(({ value }) => value);
    const value = median(values);
    return {
      contender,
      value,
      p50: medianOf(figures, "p50"),
      p99: medianOf(figures, "p99"),
      p999: medianOf(figures, "p999"),
      starved: Math.max(0, ...figures.map(({ starved }) => starved)),
      spread: values.length < 2 ? undefined : (Math.max(...values) - Math.min(...values)) / 2 / value,
      failure: failure === "" ? undefined : failure,
    };
  });
}

async function once(cell: Cell, contender: Contender, kit: Kit, seconds: number): Promise<Figure> {
  const { scheme, work } = cell;
  const { stop, cores } = kit;
  // In whole milliseconds, as `echo bench` takes it.
  const warmupSeconds = Math.min(LONGEST_WARMUP_SECONDS, Math.ceil(seconds * 1000 / 3) / 1000);
  const address = kit.freeAddress(scheme);
  const bound = START_MS / 1000 + warmupSeconds + seconds + 2 * SLACK_SECONDS;
  await using server = new Program(kit.serve(contender, address), {
    seconds: bound,
    core: cores?.server,
    stop,
  });
  if (!await until(async () => !server.running || await answers(address), START_MS) || !server.running) {
    throw new Failure(`${contender.server} did not start: ${server.complaint()}`);
  }
  const options = { seconds: warmupSeconds + seconds + SLACK_SECONDS, core: cores?.load, stop };
  if (work.kind === "memory") {
    return await memory(
      server,
      [...kit.cLoad("hold", address), `${work.connections}`],
      work.connections,
      options,
    );
  }
  const words = work.kind === "churn"
    ? [...kit.cLoad("churn", address), String(warmupSeconds), String(seconds)]
    : kit.load(contender.load, address, { ...work, warmupSeconds, seconds });
  return figure(await output(words, options));
}

/** How much the server grows by the connections that `load` opens and holds. */
async function memory(
  server: Program,
  load: readonly string[],
  connections: number,
  options: ProgramOptions,
): Promise<Figure> {
  const before = server.residentBytes();
  await using holder = new Program(load, options);
  const held = () => !holder.running || holder.stdout.text.startsWith("held");
  if (!await until(held, options.seconds * 1000) || !holder.running) {
    throw new Failure(`${connections} connections could not be held: ${holder.complaint()}`);
  }
  await until(() => !server.running, SETTLE_MS);
  const after = server.residentBytes();
  if (before === undefined || after === undefined) throw new Failure("this system does not tell the memory");
  return { value: (after - before) / connections, p50: null, p99: null, p999: null, starved: 0 };
}

/** Whether a server answers there: it accepts a connection, or sends a datagram back. */
async function answers(address: Address): Promise<boolean> {
  try {
    if (isDatagram(address)) return await echoesDatagram(address.port);
    const conn = isLocal(address)
      ? await Deno.connect({ transport: "unix", path: address.path })
      : await Deno.connect({ hostname: DEFAULT_HOST, port: address.port });
    conn.close();
    return true;
  } catch {
    return false;
  }
}

async function echoesDatagram(port: number): Promise<boolean> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: DEFAULT_HOST, port: 0 });
  try {
    await socket.send(new Uint8Array(1), { transport: "udp", hostname: DEFAULT_HOST, port });
    return await within(PROBE_MS, socket.receive().then(() => true, () => false), () => false);
  } finally {
    socket.close(); // which ends a receive that is still waiting
  }
}

/** What both load generators print. Throws Failure when it is something else. */
function figure(text: string): Figure {
  let said: Record<string, unknown>;
  try {
    said = JSON.parse(text);
  } catch {
    throw new Failure(`the load printed no figures but ${JSON.stringify(text.slice(0, 80))}`);
  }
  const latency = said["latency_ms"] as Record<string, number | null>;
  return {
    value: Number(said["messages_per_second"]),
    p50: latency["p50"] ?? null,
    p99: latency["p99"] ?? null,
    p999: latency["p99_9"] ?? null,
    starved: Number(said["starved"] ?? 0),
  };
}

function medianOf(figures: readonly Figure[], key: "p50" | "p99" | "p999"): number | null {
  const values = figures.map((figure) => figure[key]).filter((value) => value !== null);
  return values.length === 0 ? null : median(values);
}

/** NaN where there are none. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}
