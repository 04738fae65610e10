/**
 * A middlebox that is broken on purpose: it forwards TCP, and on the way back turns over the lowest bit of one byte
 * of each connection.
 * usage: deno run --allow-net docs/demo/flip.ts PORT TARGET_PORT OFFSET
 */

const [port = 0, target = 0, offset = 0] = Deno.args.map(Number);

/** Passes bytes on as they are, except for the one at `offset`, and then the end of the stream. */
async function pass(from: Deno.Conn, to: Deno.Conn, offset: number): Promise<void> {
  const buffer = new Uint8Array(65_536);
  for (let passed = 0, read; (read = await from.read(buffer)) !== null; passed += read) {
    const at = offset - passed;
    if (at >= 0 && at < read) buffer[at] = (buffer[at] ?? 0) ^ 1;
    for (let sent = 0; sent < read;) sent += await to.write(buffer.subarray(sent, read));
  }
  await to.closeWrite();
}

async function forward(client: Deno.Conn): Promise<void> {
  const server = await Deno.connect({ port: target });
  await Promise.all([pass(client, server, Infinity), pass(server, client, offset)]);
}

// A client that leaves when it has seen the fault ends its connection, and no other.
for await (const client of Deno.listen({ port })) forward(client).catch(() => {});
