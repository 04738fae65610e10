/** The PROXY protocol on a new connection of the server: its header is read before everything else. */

import { hostOf, showPeer } from "../../base/address.ts";
import { Failure } from "../../base/errors.ts";
import { matcher, type Network } from "../../base/ip.ts";
import { within } from "../../base/time.ts";
import { showDuration } from "../../base/units.ts";
import type { Endpoint, Stream, Welcome } from "../stream.ts";
import { parseHeader, V1_LIMIT } from "./header.ts";

/**
 * Reads the header off a new connection, and not a byte more, since a TLS handshake may follow. The peer is then
 * whom the header names. Throws Failure when it is late (the specification wants at least 3 s for it, in which
 * a lost segment is sent again), malformed, or not from one of the networks in `trust`: anybody else could
 * claim to be anyone.
 */
export function proxyHeader(trust: readonly Network[], timeoutMs = 3000): Welcome {
  const trusted = matcher(trust);
  return async ({ stream, peer }) => {
    if (!trusted(hostOf(peer))) throw new Failure("not trusted to send a PROXY header (see --trust)");
    const source = await within(timeoutMs, readHeader(stream), () => {
      throw new Failure(`no PROXY header within ${showDuration(timeoutMs)}`);
    });
    return { stream, peer: source === undefined ? peer : showPeer(source.hostname, source.port) };
  };
}

async function readHeader(stream: Stream): Promise<Endpoint | undefined> {
  let buffer = new Uint8Array(V1_LIMIT);
  for (let at = 0;;) {
    const parsed = parseHeader(buffer.subarray(0, at));
    if (parsed.state === "whole") return parsed.source;
    if (parsed.state === "bad") throw new Failure(`bad PROXY header: ${parsed.reason}`);
    const end = at + parsed.more;
    if (end > buffer.length) {
      const larger = new Uint8Array(end);
      larger.set(buffer.subarray(0, at));
      buffer = larger;
    }
    const n = await stream.read(buffer.subarray(at, end));
    if (n === null) throw new Failure(`closed after ${at} bytes, before the end of a PROXY header`);
    at += n;
  }
}
