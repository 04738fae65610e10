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
