/** What the main thread of `echo serve --engine E` can open while it serves: a line each. */

import { run } from "../../commands/serve.ts";
import { LIBRARIES, opened } from "./libraries.ts";

const [engine = ""] = Deno.args;
const write = Deno.stderr.write;
Deno.stderr.write = async (bytes) => {
  if (new TextDecoder().decode(bytes).includes("listening")) {
    for (const path of LIBRARIES) console.log(opened(path));
    Deno.exit(0);
  }
  return await write.call(Deno.stderr, bytes);
};
await run(["127.0.0.1:0", "--engine", engine]);
