/**
 * Loaded before the program (`deno run --preload`), it makes Deno behave as it does on Windows, as far as was seen with
 * a compiled program under wine 10, and read in Deno's sources: what is not there throws.
 */

/** Those that Windows has, and this system too. */
const COMMON = ["SIGINT", "SIGTERM", "SIGHUP", "SIGWINCH"];
const { addSignalListener, listen, listenTls, listenDatagram, openSync } = Deno;
/** On Windows a socket on `::` takes no IPv4. Here it does, so that one on `::1` stands for it. */
const sixAlone = <O extends { hostname?: string }>(options: O): O =>
  options.hostname === "::" ? { ...options, hostname: "::1" } : options;

Object.defineProperty(Deno, "build", { value: { ...Deno.build, os: "windows" } });
Object.assign(Deno, {
  addSignalListener(name: Deno.Signal, handler: () => void) {
    if (!COMMON.includes(name) && name !== "SIGBREAK") throw new TypeError(`Invalid signal: ${name}`);
    addSignalListener(name === "SIGBREAK" ? "SIGQUIT" : name, handler); // Ctrl-\ stands for Ctrl-Break
  },
  listen(options: Deno.TcpListenOptions & { transport?: string; reusePort?: boolean }) {
    if (options.transport === "unix" || options.reusePort) throw new Error("not on Windows");
    const listener = listen(sixAlone(options) as Deno.TcpListenOptions & { transport: "tcp" });
    if (options.hostname === "::") listener.addr.hostname = "::";
    return listener;
  },
  listenTls: (options: Parameters<typeof listenTls>[0]) => listenTls(sixAlone(options)),
  listenDatagram(options: Deno.UdpListenOptions & { transport: "udp" }) {
    const socket = listenDatagram(sixAlone(options));
    if (options.hostname === "::") (socket.addr as Deno.NetAddr).hostname = "::";
    const receive = socket.receive.bind(socket);
    let told = 0;
    // ICMP says that nobody is there any more, for a datagram that was sent before: WSAECONNRESET.
    socket.receive = (into) =>
      told++ % 2 === 0
        ? Promise.reject(Object.assign(new Deno.errors.ConnectionReset(), { code: "ECONNRESET" }))
        : receive(into);
    return socket;
  },
  openSync(path: string | URL, options?: Deno.OpenOptions) {
    if (String(path).startsWith("/dev/")) throw new Deno.errors.NotFound();
    return openSync(path, options);
  },
});
