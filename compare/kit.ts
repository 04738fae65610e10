/** Everything a run needs before it measures: what is installed, the compiled programs, a certificate, processors. */

import { fileURLToPath } from "node:url";
import { type Scheme, traits } from "../base/schemes.ts";
import config from "../deno.json" with { type: "json" };
import {
  type Address,
  DEFAULT_HOST,
  isEncrypted,
  isLocal,
  parseAddress,
  showAddress,
} from "../base/address.ts";
import { Failure } from "../base/errors.ts";
import { cores, installed } from "./machine.ts";
import type { Cell, Contender, LoadName, ServerName } from "./cells.ts";
import { output } from "./program.ts";
import { RECIPES } from "./recipes.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));
/** Go may have to compile its standard library first, and Deno to fetch what deno.lock names. */
const BUILD_SECONDS = 180;

/** How load is put on an address. */
export interface Shape {
  readonly connections: number;
  readonly bytes: number;
  readonly rate: number | undefined;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** What all cells of a run share. Its methods that build throw Failure. */
export class Kit {
  readonly stop: AbortSignal;
  /** The processors of the server and of the load; undefined where nothing can be pinned. */
  readonly cores = cores();
  /** What is not installed. */
  readonly missing = new Set<string>();
  /** Whether the C load speaks TLS: it does where OpenSSL's headers are. */
  tlsLoad = false;
  readonly #folder: string;
  #sockets = 0;

  /** `folder` is empty, and takes all that is made. */
  constructor(folder: string, stop: AbortSignal) {
    this.#folder = folder;
    this.stop = stop;
  }

  get cert(): string {
    return `${this.#folder}/cert.pem`;
  }

  get key(): string {
    return `${this.#folder}/key.pem`;
  }

  /** Makes what these cells need, and returns them without the peers that are not installed. */
  async prepare(cells: readonly Cell[]): Promise<Cell[]> {
    for (const program of ["timeout", "gcc"]) {
      if (!installed(program)) throw new Failure(`${program} is not installed, and the load needs it`);
    }
    if (this.cores === undefined) this.missing.add("taskset (or a second processor)");
    const there = (server: ServerName) =>
      (server === "ours" ? [] : RECIPES[server].needs).every((need) => {
        const found = installed(need);
        if (!found) this.missing.add(need);
        return found;
      });
    const wanted = new Set(cells.flatMap(({ contenders }) => contenders.map(({ server }) => server)));
    const ready = new Set<ServerName>();
    const settled = await Promise.allSettled([
      // So that no server is late because Deno has to fetch or compile something first.
      this.#build([...echo(), "--version"]),
      this.#buildLoad(),
      ...(cells.some(({ scheme }) => traits(scheme).encrypted) ? [this.#build(this.#certificate())] : []),
      ...[...wanted].filter(there).map(async (server) => {
        if (await this.#buildPeer(server)) ready.add(server);
      }),
    ]);
    this.stop.throwIfAborted();
    for (const one of settled) if (one.status === "rejected") throw one.reason;
    return cells.map((cell) => ({
      ...cell,
      contenders: cell.contenders.filter(({ server }) => ready.has(server)),
    }));
  }

  /** An address where nothing listens at the moment. */
  freeAddress(scheme: Scheme): Address {
    if (traits(scheme).local) return parseAddress(`${scheme}:${this.#folder}/${this.#sockets++}.sock`);
    using listener = Deno.listen({ hostname: DEFAULT_HOST, port: 0 });
    return parseAddress(`${scheme}://${DEFAULT_HOST}:${listener.addr.port}`);
  }

  /** The command that starts a server. */
  serve({ server }: Contender, address: Address): string[] {
    const { scheme } = address;
    if (server !== "ours") return RECIPES[server].serve(place(address), scheme, this.#program(server), this);
    const tls = isEncrypted(address) ? ["--cert", this.cert, "--key", this.key] : [];
    return [...echo(), "serve", "-q", showAddress(address), ...tls];
  }

  /** The command that puts load on it, and prints a JSON object. */
  load(name: LoadName, address: Address, shape: Shape): string[] {
    const { connections, bytes, rate, warmupSeconds, seconds } = shape;
    if (name === "C load" && (!isEncrypted(address) || this.tlsLoad)) {
      const numbers = [connections, bytes, warmupSeconds, seconds, rate ?? 0].map(String);
      return [...this.cLoad("echo", address), ...numbers];
    }
    const words = [
      "-c",
      `${connections}`,
      "-s",
      `${bytes}`,
      "-d",
      `${seconds}`,
      "--warmup",
      `${warmupSeconds}`,
    ];
    return [
      ...echo(),
      "bench",
      showAddress(address),
      ...words,
      ...(rate === undefined ? [] : ["--rate", `${rate}`]),
      ...(isEncrypted(address) ? ["--insecure"] : []),
      "--json",
    ];
  }

  /** The first words of the C load in one of its modes. */
  cLoad(mode: "echo" | "churn" | "hold", address: Address): string[] {
    return [`${this.#folder}/load`, mode, `${address.scheme}:${place(address)}`];
  }

  async #buildLoad(): Promise<void> {
    const words = ["gcc", "-O2", "-o", `${this.#folder}/load`, `${HERE}load.c`];
    try {
      await this.#build([...words, "-DTLS", "-lssl", "-lcrypto"]);
      this.tlsLoad = true;
    } catch (error) {
      this.stop.throwIfAborted();
      if (!(error instanceof Failure)) throw error;
      this.missing.add("libssl-dev");
      await this.#build(words);
    }
  }

  /** Returns whether there is such a server now. A compiler that does not work is no reason to measure nothing. */
  async #buildPeer(server: ServerName): Promise<boolean> {
    const build = server === "ours" ? undefined : RECIPES[server].build;
    try {
      if (build !== undefined) await this.#build(build(this.#program(server)));
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.missing.add(`${server} (${error.message})`);
      return false;
    }
  }

  #certificate(): string[] {
    if (!installed("openssl")) {
      throw new Failure("openssl is not installed, and the TLS cells need a certificate");
    }
    return [
      ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"],
      // Deno takes no certificate of a CA for that of a server.
      ...["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", this.key, "-out", this.cert],
    ];
  }

  async #build(words: readonly string[]): Promise<void> {
    await output(words, { seconds: BUILD_SECONDS, cwd: ROOT, stop: this.stop });
  }

  #program(server: ServerName): string {
    return `${this.#folder}/${server.replace(" ", "-")}`;
  }
}

/** The command of echo: the compiled program where ECHO_BIN names one, else the sources as `deno task start` runs them. */
export function echo(): string[] {
  const binary = Deno.env.get("ECHO_BIN");
  if (binary !== undefined) return [Deno.realPathSync(binary)];
  const [, ...words] = config.tasks.start.split(" ");
  return [Deno.execPath(), ...words.slice(0, -2), `${ROOT}main.ts`];
}

/** A port of this machine, or the path of a Unix socket. */
function place(address: Address): string {
  return isLocal(address) ? address.path : String(address.port);
}
