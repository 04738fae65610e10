/** TCP by the system calls themselves: tcp(7). */

import { DEFAULT_HOST, type NetAddress, showAddress, showPeer } from "../../base/address.ts";
import { addressesOf, firstToAnswer } from "../names.ts";
import { encodeHeader } from "../proxy/header.ts";
import { undialled } from "../reach.ts";
import type { Dialled, DialOptions, Endpoint, Listener, ListenOptions, Transport, Way } from "../stream.ts";
import { BACKLOG, bind } from "../tcp.ts";
import * as libc from "./libc.ts";
import { endpointOf, familyOf, inetAddress } from "./sockaddr.ts";
import { poller } from "./poller.ts";
import { connectTo, ListenerSocket } from "./sockets.ts";
import { TcpStream } from "./tcp_stream.ts";
import { prepareWay } from "./way.ts";

/** As `tcp` of net/tcp.ts. */
export function tcp(address: NetAddress): Transport {
  return {
    listen: (options) => listen(address, options),
    dial: (options, signal) => dial(address, options, signal),
  };
}

async function listen(address: NetAddress, { shared }: ListenOptions): Promise<Listener> {
  const fd = await bind(address, (host) => bound(host, address.port, shared));
  const { hostname, port } = endpointOf(libc.localAddress(fd));
  const listener = new ListenerSocket(fd, (stream) => {
    const { hostname, port } = endpointOf(libc.addressView);
    return { stream, peer: showPeer(hostname, port) };
  });
  return {
    address: showAddress({ ...address, host: hostname, port }),
    accept: () => listener.accept(),
    close: () => listener.close(),
  };
}

/** A descriptor that listens. Whom it accepts has the options of its own: see `tune`. */
async function bound(host: string, port: number, shared: boolean): Promise<number> {
  const [ip = ""] = await addressesOf(host, undefined, new AbortController().signal);
  const sockaddr = inetAddress(ip, port);
  const fd = libc.socket(familyOf(sockaddr), libc.TYPE.stream);
  try {
    libc.setOption(fd, "reuseAddress", 1);
    if (shared) libc.setOption(fd, "reusePort", 1);
    tune(fd);
    libc.bind(fd, sockaddr);
    libc.listen(fd, BACKLOG);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** As net/tcp.ts does. An accepted socket has it of the one that listens. */
function tune(fd: number): void {
  libc.setOption(fd, "noDelay", 1);
  libc.setOption(fd, "keepAlive", 1);
}

async function dial(
  address: NetAddress,
  { preamble, way }: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const { host = DEFAULT_HOST, port } = address;
  try {
    const { stream, local, remote } = await firstToAnswer(host, way, signal, {
      open: (ip, signal) => connect(ip, port, way, signal),
      close: ({ stream }) => stream.close(),
      awaits: (lookup) => poller.leave(lookup),
    });
    try {
      if (preamble !== undefined) {
        const bytes = encodeHeader(preamble, local, remote);
        for (let at = 0; at < bytes.length;) at += await stream.write(bytes.subarray(at));
      }
      return { stream, peer: showPeer(remote.hostname, remote.port), details: [] };
    } catch (error) {
      stream.close();
      throw error;
    }
  } catch (error) {
    throw undialled(address, error);
  }
}

interface Connection {
  readonly stream: TcpStream;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

async function connect(
  ip: string,
  port: number,
  way: Way,
  signal: AbortSignal,
): Promise<Connection> {
  const sockaddr = inetAddress(ip, port);
  const stream = await connectTo(sockaddr, signal, (fd) => new TcpStream(fd, true), (fd) => {
    tune(fd);
    if (way.source !== undefined) libc.setOption(fd, "bindsNoPort", 1);
    prepareWay(fd, familyOf(sockaddr), way);
    if (way.source !== undefined) libc.bind(fd, inetAddress(way.source, 0));
  });
  try {
    return { stream, ...stream.ends() };
  } catch (error) {
    stream.close(); // it was reset at once, and has no ends
    throw error;
  }
}
