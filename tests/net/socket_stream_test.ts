import { assert, assertLess } from "@std/assert";
import { connect, createServer, type Socket } from "node:net";
import { SocketStream } from "../../net/socket_stream.ts";

/** Deno 2.7 does not use it, and its node:net differs. */
const OLD = Deno.version.deno.startsWith("2.7.");

/** How much of what `n` peers send without end comes in, where each stream was read from once and then left. */
async function received(n: number): Promise<number> {
  const sockets: Socket[] = [];
  const streams: SocketStream[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.push(socket);
    const stream = new SocketStream(socket);
    streams.push(stream);
    stream.read(new Uint8Array(1)).catch(() => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const peers = Array.from({ length: n }, () => {
    const peer = connect(port, "127.0.0.1", () => peer.write(new Uint8Array(512 << 10)));
    peer.on("error", () => {});
    return peer;
  });
  const sum = () => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  for (let last = -1; sockets.length < n || sum() !== last;) {
    last = sum();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const bytes = sum();
  const closed = [...sockets, ...peers].map((socket) =>
    new Promise((resolve) => socket.once("close", resolve))
  );
  for (const peer of peers) peer.destroy();
  for (const stream of streams) stream.close();
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return bytes;
}

Deno.test({
  name: "one stream that nobody reads receives 192 KB and more; of 300, each receives less than that",
  ignore: OLD,
  async fn() {
    const alone = await received(1);
    assert(alone >= 192 << 10, `${alone} bytes`);
    assertLess(await received(300) / 300, 170 << 10);
    assert(await received(1) >= 192 << 10, "what the crowd held is counted no more");
  },
});
