// Node's usual answer: each socket piped into itself.  usage: node.mjs PORT|PATH [CERTIFICATE KEY]: with them, TLS
import { readFileSync } from "node:fs";
import net from "node:net";
import process from "node:process";
import tls from "node:tls";

const [, , address, cert, key] = process.argv;

function echo(socket) {
  socket.setNoDelay(true);
  socket.on("error", () => {}); // a client that resets
  socket.pipe(socket);
}

const server = cert === undefined
  ? net.createServer(echo)
  : tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, echo);
server.on("tlsClientError", () => {});
if (address.startsWith("/")) server.listen(address);
else server.listen(Number(address), "127.0.0.1");
