/** TLS by node:tls, for Deno 2.9 and later: TCP_NODELAY, client certificates, fingerprints, new files while running. */

export { dial } from "./node_client.ts";
export { listen } from "./node_listener.ts";
