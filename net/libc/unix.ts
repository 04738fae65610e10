/** Unix sockets by the system calls themselves: unix(7). What is true of their files is in net/unix.ts. */

import { BACKLOG } from "../tcp.ts";
import type { UnixListener, UnixSockets } from "../unix.ts";
import * as libc from "./libc.ts";
import { unixAddress } from "./sockaddr.ts";
import { connectTo, ListenerSocket, StreamSocket } from "./sockets.ts";

/** How this engine opens them. */
export const sockets: UnixSockets = {
  listen,
  connect: (path, signal) => connectTo(unixAddress(path), signal, (fd) => new StreamSocket(fd, true)),
};

function listen(path: string): UnixListener {
  const fd = libc.socket(libc.FAMILY.unix, libc.TYPE.stream);
  try {
    libc.bind(fd, unixAddress(path));
    libc.listen(fd, BACKLOG);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  const listener = new ListenerSocket(fd, (stream) => ({ stream, peer: path }));
  return { accept: async () => (await listener.accept()).stream, close: () => listener.close() };
}
