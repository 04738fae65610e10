/** What is measured: a cell is one kind of work, done by ours and by its peers in turn. */

import type { Scheme } from "../base/schemes.ts";

/** Who serves: ours, a program of compare/peers, or one that is installed. */
export type ServerName = "ours" | "C epoll" | "C threads" | "C recvfrom" | "Go" | "Node" | "socat" | "ncat";

/** What puts load on the server: the C program of this folder, or `echo bench`. */
export type LoadName = "C load" | "echo bench";

/** What the load does. */
export type Work =
  /** Messages on open connections; with a rate, so many a second over all of them. */
  | {
    readonly kind: "echo";
    readonly connections: number;
    readonly bytes: number;
    readonly rate: number | undefined;
  }
  /** A new connection for each message of 64 bytes, one after another. */
  | { readonly kind: "churn" }
  /** Silent connections that are held open. */
  | { readonly kind: "memory"; readonly connections: number };

/** One row of a cell's table. */
export interface Contender {
  readonly name: string;
  readonly server: ServerName;
  readonly load: LoadName;
}

/** One table of the results. */
export interface Cell {
  readonly name: string;
  readonly title: string;
  readonly scheme: Scheme;
  readonly work: Work;
  /** Ours is the first. */
  readonly contenders: readonly Contender[];
}

const TCP: readonly ServerName[] = ["C epoll", "C threads", "Go", "Node", "socat", "ncat"];
/** Those whose memory is in one process. */
const ONE_PROCESS: readonly ServerName[] = ["C epoll", "C threads", "Go", "Node"];
const TLS: readonly ServerName[] = ["Node", "socat"];
const UDP: readonly ServerName[] = ["C recvfrom", "socat"];
const UNIX: readonly ServerName[] = ["C epoll", "C threads", "Node", "socat"];

/** Every cell, in the order in which they are measured. */
export const CELLS: readonly Cell[] = [
  servers("tcp-64x64", "TCP: 64 connections, 64 B", "tcp", echo(64, 64), TCP),
  servers("tcp-1000x64", "TCP: 1,000 connections, 64 B", "tcp", echo(1000, 64), TCP),
  servers("tcp-1x64k", "TCP: 1 connection, 64 KiB", "tcp", echo(1, 64 << 10), TCP),
  servers("tcp-16x1m", "TCP: 16 connections, 1 MiB", "tcp", echo(16, 1 << 20), TCP),
  servers("tcp-churn", "TCP: connect, echo 64 B, close", "tcp", { kind: "churn" }, TCP),
  servers(
    "tcp-memory",
    "TCP: memory a connection, 10,000 idle",
    "tcp",
    { kind: "memory", connections: 10_000 },
    ONE_PROCESS,
  ),
  servers("tls-64x64", "TLS: 64 connections, 64 B", "tls", echo(64, 64), TLS),
  servers("tls-1x64k", "TLS: 1 connection, 64 KiB", "tls", echo(1, 64 << 10), TLS),
  servers("tls-16x1m", "TLS: 16 connections, 1 MiB", "tls", echo(16, 1 << 20), TLS),
  servers("udp-64x64", "UDP: 64 senders, 64 B", "udp", echo(64, 64), UDP),
  servers("unix-64x64", "Unix: 64 connections, 64 B", "unix", echo(64, 64), UNIX),
  loads("load-64x64", "Load on C epoll: 64 connections, 64 B", echo(64, 64)),
  loads(
    "load-20k",
    "Load on C epoll: the same at 20,000 messages/s",
    echo(64, 64, 20_000),
  ),
];

function echo(connections: number, bytes: number, rate?: number): Work {
  return { kind: "echo", connections, bytes, rate };
}

function servers(
  name: string,
  title: string,
  scheme: Scheme,
  work: Work,
  peers: readonly ServerName[],
): Cell {
  const contenders = (["ours", ...peers] as const).map((server) => ({
    name: server === "ours" ? "echo serve" : server,
    server,
    load: "C load" as const,
  }));
  return { name, title, scheme, work, contenders };
}

function loads(name: string, title: string, work: Work): Cell {
  const contenders = (["echo bench", "C load"] as const)
    .map((load) => ({ name: load, server: "C epoll" as const, load }));
  return { name, title, scheme: "tcp", work, contenders };
}
