/** The threads of one run, from their start to their end. */

import { Failure } from "../base/errors.ts";
import { renounceLibc, threadPermissions } from "../net/engine.ts";
import type { Plan } from "./plan.ts";
import type { FromThread, Samples, ToThread } from "./thread_messages.ts";
import { addTotals, type RunTotals } from "./totals.ts";

/**
 * Divides a plan over its `workers`, as evenly as whole connections go; a thread without a connection or a message
 * is left out. With a rate, they begin one interval after another.
 */
export function shares(plan: Plan): Plan[] {
  const { pace, workers: n } = plan;
  const plans = Array.from({ length: n }, (_, i): Plan => {
    const first = Math.floor(plan.connections * i / n);
    const next = Math.floor(plan.connections * (i + 1) / n);
    const upTo = (connection: number) => Math.floor(plan.messages * connection / plan.connections);
    return {
      ...plan,
      connections: next - first,
      first: plan.first + first,
      messages: Number.isFinite(plan.messages) ? upTo(next) - upTo(first) : plan.messages,
      pace: pace.kind === "open"
        ? {
          ...pace,
          perSecond: pace.perSecond * (next - first) / plan.connections,
          phase: 1000 * i / pace.perSecond,
        }
        : pace,
    };
  });
  return plans.filter(({ connections, messages }) => connections > 0 && messages > 0);
}

/**
 * Starts a thread for each plan, lets all begin together once all are connected (`began` is told), and resolves when
 * all are done. When `stop` aborts they end early. Throws Failure if one cannot begin.
 */
export async function runThreads(
  plans: readonly Plan[],
  stop: AbortSignal,
  began: () => void,
  onSamples: (samples: Samples) => void,
): Promise<RunTotals> {
  const engine = plans[0]?.route.dial.engine ?? "deno";
  const threads = plans.map(() =>
    new Worker(new URL("./load_thread.ts", import.meta.url), {
      type: "module",
      deno: { permissions: threadPermissions(engine) },
    })
  );
  const tellAll = (message: ToThread) => threads.forEach((thread) => thread.postMessage(message));
  let connecting = threads.length;
  const tooEarly = Promise.withResolvers<never>();
  const end = () => {
    if (connecting > 0) tooEarly.reject(new Failure("stopped before all connections were made"));
    else tellAll("stop");
  };
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  const onReady = () => {
    if (--connecting > 0) return;
    renounceLibc(); // the threads have what they need of it
    tellAll("go");
    began();
  };
  try {
    const all = Promise.all(threads.map((thread, i) => totalsOf(thread, plans[i]!, onReady, onSamples)));
    return (await Promise.race([all, tooEarly.promise])).reduce(addTotals);
  } finally {
    stop.removeEventListener("abort", end);
    threads.forEach((thread) => thread.terminate());
  }
}

/** Hands the thread its plan, and resolves when it is done. Throws Failure if it cannot begin. */
function totalsOf(
  thread: Worker,
  plan: Plan,
  onReady: () => void,
  onSamples: (samples: Samples) => void,
): Promise<RunTotals> {
  return new Promise((resolve, reject) => {
    thread.onmessage = ({ data }: MessageEvent<FromThread>) => {
      if (data.type === "ready") onReady();
      else if (data.type === "samples") onSamples(data);
      else if (data.type === "failed") reject(new Failure(data.reason));
      else resolve(data.totals);
    };
    thread.onerror = (event) => {
      event.preventDefault(); // it would end the process
      reject(new Error(event.message));
    };
    thread.postMessage({ plan } satisfies ToThread);
  });
}
