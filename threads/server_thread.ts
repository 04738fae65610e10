/** One thread of `echo serve --workers N`: a Server that is told by messages what its process is told by signals. */

import { LineWriter } from "../server/line_writer.ts";
import { openLog } from "../server/log.ts";
import { engineTraits } from "../net/engine.ts";
import { Failure, reason } from "../base/errors.ts";
import { Totals } from "../server/totals.ts";
import { Server } from "../server.ts";
import type { Order, Report, Start } from "./messages.ts";

/** The types of a worker's own scope are not those of the window that the rest is checked with. */
const thread = self as unknown as EventTarget & { postMessage(report: Report): void; close(): void };

const decoder = new TextDecoder();
const stop = new AbortController();
let server: Server | undefined;

thread.addEventListener("message", async (event) => {
  const { data } = event as MessageEvent<Start | Order>;
  if (data === "stop") return stop.abort();
  if (data === "count") {
    await server?.count();
    return tell({ counted: true });
  }
  if ("renew" in data) return server?.renew(data.renew);
  tell({ ended: await serve(data) });
  thread.close();
});

/** Serves until it is told to stop. Returns why it could not. */
async function serve({ options, memory, thread: number, level, format }: Start): Promise<string | undefined> {
  const lines = new LineWriter({
    write(bytes) {
      tell({ lines: decoder.decode(bytes) });
      return Promise.resolve(bytes.length);
    },
  });
  const log = await openLog(level, format, lines);
  if (engineTraits(options.engine).blocks) await leaveNothingOpen();
  server = new Server(options, log, new Totals(memory, number));
  try {
    await server.run(stop.signal, {
      listening: (listening) => tell({ listening }),
      stopping: () => tell({ stopping: true }),
    });
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return error.message;
    return `a defect of echo: ${reason(error)}`;
  } finally {
    await lines.flush(1000);
  }
}

/** The process goes on when a thread dies: what the thread has opened itself, it must close itself. */
async function leaveNothingOpen(): Promise<void> {
  const { poller } = await import("../net/libc/poller.ts");
  const close = () => poller.closeAll();
  thread.addEventListener("error", close);
  thread.addEventListener("unhandledrejection", close);
}

function tell(report: Report): void {
  thread.postMessage(report);
}
