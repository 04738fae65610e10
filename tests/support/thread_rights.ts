/** What of the system's libraries a thread of each engine may open, and then the one that started them: a line each. */

import { type Engine, threadPermissions } from "../../net/engine.ts";
import { LIBRARIES, opened } from "./libraries.ts";

const found = LIBRARIES.map(opened).join(", ");

function ofThread(engine: Engine): Promise<string> {
  const options = { type: "module", deno: { permissions: threadPermissions(engine) } } as const;
  const worker = new Worker(import.meta.url, options);
  return new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
}

if (import.meta.main && !("DedicatedWorkerGlobalScope" in globalThis)) {
  for (const engine of ["epoll", "deno"] as const) console.log(`${engine}: ${await ofThread(engine)}`);
  console.log(`main: ${found}`);
  Deno.exit(0);
} else (self as unknown as { postMessage(found: string): void }).postMessage(found);
