/** What the system has, and lacks: the one place that asks which one it is. */

/** A row of the table. */
export interface Platform {
  /** As a person calls it. */
  readonly name: string;
  /** Those of the signals that echo knows and the system has (signal(7)); to listen to another one throws. */
  readonly signals: readonly Deno.Signal[];
  /** The number of SIGUSR1, where there is one. */
  readonly usr1: number | undefined;
  /** Bytes of the longest path of a Unix socket: sizeof(sockaddr_un.sun_path) less the NUL at its end (unix(7)). */
  readonly socketPath: number;
  /** Deno has Unix sockets here. */
  readonly unixSockets: boolean;
  /** Several threads can listen on one port, and the kernel shares its clients out (SO_REUSEPORT, socket(7)). */
  readonly sharedPorts: boolean;
  /** A socket on `::` takes IPv4 too (IPV6_V6ONLY is off; Deno sets it nowhere). */
  readonly dualStack: boolean;
  /** It has the system calls of epoll(7). */
  readonly hasEpoll: boolean;
  /** A file that anybody can open, to hold a descriptor; undefined: there is no limit that it could help against. */
  readonly nullDevice: string | undefined;
  /** What an errno(3) means here, where that is something else than on Linux. */
  readonly reasons: Readonly<Record<string, string>>;
}

const LINUX: Platform = {
  name: "Linux",
  signals: ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT"],
  usr1: 10,
  socketPath: 107,
  unixSockets: true,
  sharedPorts: true,
  dualStack: true,
  hasEpoll: true,
  nullDevice: "/dev/null",
  reasons: {},
};

const MACOS: Platform = {
  ...LINUX,
  name: "macOS",
  usr1: 30,
  hasEpoll: false,
  socketPath: 103,
  sharedPorts: false, // it has SO_REUSEPORT, and the last one to listen gets all clients; Deno does not set it
  reasons: {
    EACCES: "permission denied (ports below 1024 need root); try a higher port",
    EMSGSIZE: "too large for a datagram here; send less at once, or raise `sysctl net.inet.udp.maxdgram`",
  },
};

const WINDOWS: Platform = {
  ...LINUX,
  name: "Windows",
  signals: ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"],
  usr1: undefined,
  unixSockets: false,
  sharedPorts: false,
  dualStack: false,
  hasEpoll: false,
  nullDevice: undefined,
  reasons: {
    EACCES: "another program has the port for itself, or Windows keeps it " +
      "(`netsh int ipv4 show excludedportrange tcp`); try another port",
    ECONNABORTED: "this system ended the connection: the other end was silent for too long, or is gone",
    EMFILE: "out of sockets",
    ENOBUFS: "the system is out of memory for sockets, or of free ports",
  },
};

/** The row of a system, by the name that Deno has for it; the others, BSD among them, are most like macOS. */
export function platformOf(os: typeof Deno.build.os): Platform {
  if (os === "windows") return WINDOWS;
  return os === "linux" || os === "android" ? LINUX : MACOS;
}

/** This system. */
export const PLATFORM = platformOf(Deno.build.os);

/** Something that holds a descriptor; undefined where that helps against nothing. Throws as `Deno.openSync` does. */
export function openNull(): Deno.FsFile | undefined {
  return PLATFORM.nullDevice === undefined ? undefined : Deno.openSync(PLATFORM.nullDevice);
}
