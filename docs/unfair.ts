// The smallest echo server whose clients starve above 128 busy connections; fairness.md tells why.
// deno run --allow-net docs/unfair.ts, then 1,000 connections that each keep one message of 64 bytes under way.
const listener = Deno.listen({ port: 8890 });

async function echo(conn: Deno.TcpConn): Promise<void> {
  conn.setNoDelay(true);
  const buffer = new Uint8Array(512);
  for (;;) {
    const n = await conn.read(buffer);
    if (n === null) return conn.close();
    for (let at = 0; at < n;) at += await conn.write(buffer.subarray(at, n));
  }
}

for (;;) echo(await listener.accept()).catch(() => {});
