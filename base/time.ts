/** Waiting: for a time, for a stop, for work that may be late. */

/** Resolves after `ms`, or as soon as `stop` aborts. */
export async function pause(ms: number, stop?: AbortSignal): Promise<void> {
  if (stop?.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const end = () => resolve();
  stop?.addEventListener("abort", end, { once: true });
  await promise;
  clearTimeout(timer);
  stop?.removeEventListener("abort", end);
}

/**
 * What `work` comes to; where that takes longer than `ms`, what `late` returns or throws in its place. Then the work
 * goes on, and what it still comes to is nobody's.
 */
export async function within<T, L>(ms: number, work: Promise<T>, late: () => L): Promise<T | L> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => timer = setTimeout(resolve, ms)).then(late);
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** What `work` comes to; as soon as `stop` aborts, what `aborted` throws. Then the work goes on, as above. */
export async function unlessAborted<T>(
  stop: AbortSignal,
  work: Promise<T>,
  aborted: () => never,
): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  stop.addEventListener("abort", end, { once: true });
  if (stop.aborted) end();
  try {
    return await Promise.race([work, promise.then(aborted)]);
  } finally {
    stop.removeEventListener("abort", end);
  }
}
