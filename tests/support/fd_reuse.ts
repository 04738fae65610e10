/**
 * So many times as its argument says a server cuts off a client that it reads from, and takes another one, which gets
 * the same descriptor. Each client sends its number. Prints as JSON how many numbers came to the wrong reader, how many
 * readers were cut off, and how many could read on after that.
 */

import { tcp } from "../../net/libc/tcp.ts";
import type { Stream } from "../../net/stream.ts";

const ROUNDS = Number(Deno.args[0]);
const OPEN = 32;

const options = { shared: false, socketMode: undefined, tls: undefined };
const listener = await tcp({ scheme: "tcp", host: "127.0.0.1", port: 0 }).listen(options);
const port = Number(/\d+$/.exec(listener.address)![0]);
const dial = {
  engine: "epoll",
  preamble: undefined,
  way: { family: undefined, source: undefined, device: undefined, ttl: undefined, tos: undefined },
  tls: {
    pair: undefined,
    ca: undefined,
    serverName: undefined,
    insecure: false,
    fingerprint: undefined,
  },
} as const;
const peer = tcp({ scheme: "tcp", host: "127.0.0.1", port });

let wrong = 0;
let cut = 0;
let afterwards = 0;
/** By the number of their client, as soon as it is known. */
const servers = new Map<number, Stream>();
const ended: Promise<void>[] = [];
let onGreeting = () => {};

/** A reader of the server: it gets its own client's number, again and again, and never another's. */
async function read(stream: Stream): Promise<void> {
  const bytes = new Uint8Array(64);
  const numbers = new Uint32Array(bytes.buffer);
  let own: number | undefined;
  try {
    for (let n; (n = await stream.read(bytes)) !== null;) {
      if (own === undefined) servers.set(own = numbers[0] ?? -1, stream);
      if (numbers.subarray(0, n / 4).some((number) => number !== own)) wrong++;
      onGreeting();
    }
  } catch {
    cut++;
  }
  try {
    await stream.read(bytes);
    afterwards++;
  } catch { /* as it must be */ }
}

async function acceptAll(): Promise<void> {
  for (;;) ended.push(read((await listener.accept()).stream));
}

async function connect(number: number): Promise<Stream> {
  const { stream } = await peer.dial(dial, new AbortController().signal);
  await stream.write(new Uint8Array(new Uint32Array([number]).buffer));
  return stream;
}

acceptAll().catch(() => {});
let clients: Stream[] = [];
for (let round = 0; round < ROUNDS; round += OPEN) {
  const known = new Promise<void>((resolve) => {
    onGreeting = () => {
      if (servers.size === OPEN) resolve();
    };
  });
  // Those of the round before are cut off while their readers wait; the next ones get their descriptors.
  for (const server of servers.values()) server.close();
  servers.clear();
  const before = clients;
  clients = await Promise.all(Array.from({ length: OPEN }, (_, i) => connect(round + i)));
  await known;
  for (const client of before) client.close();
  await Promise.all(ended.splice(0, before.length));
}
console.log(JSON.stringify({ wrong, cut, afterwards }));
Deno.exit(0);
