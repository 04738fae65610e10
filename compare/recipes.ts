/** How the peers are made and started. */

import { fileURLToPath } from "node:url";
import { type Scheme, traits } from "../base/schemes.ts";
import type { ServerName } from "./cells.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** How a peer is made and started. */
export interface Recipe {
  readonly needs: readonly string[];
  /** Compiles it into `program`. */
  readonly build?: (program: string) => string[];
  /** `where` is a port of 127.0.0.1, or the path of a Unix socket. */
  readonly serve: (where: string, scheme: Scheme, program: string, pair: Pair) => string[];
}

/** Files in PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

const compileC = (source: string) => (program: string) => [
  "gcc",
  "-O2",
  "-pthread",
  "-o",
  program,
  `${HERE}${source}`,
];
const alone = (where: string, _scheme: Scheme, program: string) => [program, where];

/** Every server but ours. */
export const RECIPES: Readonly<Record<Exclude<ServerName, "ours">, Recipe>> = {
  "C epoll": { needs: ["gcc"], build: compileC("peers/epoll.c"), serve: alone },
  "C threads": { needs: ["gcc"], build: compileC("peers/threads.c"), serve: alone },
  "C recvfrom": { needs: ["gcc"], build: compileC("peers/udp.c"), serve: alone },
  "Go": {
    needs: ["go"],
    build: (program) => ["go", "build", "-o", program, `${HERE}peers/echo.go`],
    serve: alone,
  },
  "Node": {
    needs: ["node"],
    serve: (where, scheme, _program, { cert, key }) => [
      "node",
      `${HERE}peers/node.mjs`,
      where,
      ...(traits(scheme).encrypted ? [cert, key] : []),
    ],
  },
  "socat": {
    needs: ["socat"],
    serve: (where, scheme, _program, { cert, key }) => [
      "socat",
      {
        tcp: `TCP4-LISTEN:${where},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096`,
        tls: `OPENSSL-LISTEN:${where},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=4096,` +
          `cert=${cert},key=${key},verify=0`,
        udp: `UDP4-LISTEN:${where},bind=127.0.0.1,fork,reuseaddr`,
        unix: `UNIX-LISTEN:${where},fork,backlog=4096`,
      }[scheme],
      "PIPE",
    ],
  },
  "ncat": {
    needs: ["ncat"],
    serve: (where) => ["ncat", "-l", "-k", "--max-conns", "2000", "-e", "/bin/cat", "127.0.0.1", where],
  },
};
