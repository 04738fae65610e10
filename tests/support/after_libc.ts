/** What can be opened in a thread before and after it has opened libc, or renounced it: a line each. */

import { renounceLibc } from "../../net/engine.ts";
import { LIBRARIES, opened } from "./libraries.ts";

function tell(when: string): void {
  for (const path of [...LIBRARIES, "libc.so.6"]) console.log(`${when}: ${opened(path)}`);
}

tell("before");
if (Deno.args[0] === "renounce") renounceLibc();
else await import("../../net/libc/libc.ts");
tell("after");
