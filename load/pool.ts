/** The workers of one run, from their start to their end. */

import { Failure } from "../base/errors.ts";
import type { Plan } from "./plan.ts";
import type { Tally } from "./load.ts";
import type { News, Order, Report } from "./load_thread.ts";

/** How the workers fared, together. */
export interface Fared extends Tally {
  /** See Load.took. */
  readonly ms: number;
}

/**
 * Divides a plan over `n` workers, as evenly as whole connections go; a worker without a connection or a message
 * is left out. With a rate, they begin one interval after another.
 */
export function shares(plan: Plan, n: number): Plan[] {
  const { pace } = plan;
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
 * Starts a worker for each plan, lets all begin together once all are connected (`began` is told), and resolves
 * when all are done. When `stop` aborts they end early. Throws Failure if one cannot begin.
 */
export async function runCrew(
  plans: readonly Plan[],
  stop: AbortSignal,
  began: () => void,
  report: (report: Report) => void,
): Promise<Fared> {
  const workers = plans.map(() =>
    new Worker(new URL("./load_thread.ts", import.meta.url), { type: "module" })
  );
  const tell = (order: Order) => workers.forEach((worker) => worker.postMessage(order));
  let waiting = workers.length;
  const tooEarly = Promise.withResolvers<never>();
  const end = () => {
    if (waiting > 0) tooEarly.reject(new Failure("stopped before all connections were made"));
    else tell("stop");
  };
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  const ready = () => {
    if (--waiting > 0) return;
    tell("go");
    began();
  };
  try {
    const all = Promise.all(workers.map((worker, i) =>
      new Promise<Fared>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<News>) => {
          if (data.type === "ready") ready();
          else if (data.type === "report") report(data);
          else if (data.type === "failed") reject(new Failure(data.reason));
          else resolve(data);
        };
        worker.onerror = (event) => {
          event.preventDefault(); // it would end the process
          reject(new Error(event.message));
        };
        worker.postMessage({ plan: plans[i]! } satisfies Order);
      })
    ));
    const fared = await Promise.race([all, tooEarly.promise]);
    return fared.reduce((a, b) => ({
      ms: Math.max(a.ms, b.ms),
      due: a.due === null || b.due === null ? null : a.due + b.due,
      sent: a.sent + b.sent,
      received: a.received + b.received,
      lost: a.lost + b.lost,
      unfinished: a.unfinished + b.unfinished,
      unsent: a.unsent + b.unsent,
      growth: a.growth + b.growth,
      sights: {
        late: a.sights.late + b.sights.late,
        reordered: a.sights.reordered + b.sights.reordered,
        stray: a.sights.stray + b.sights.stray,
      },
      firstStray: a.firstStray ?? b.firstStray,
    }));
  } finally {
    stop.removeEventListener("abort", end);
    workers.forEach((worker) => worker.terminate());
  }
}
