/** What was probably meant by a word that is unknown. */

import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { programName } from "../base/program.ts";

const PORT = "the port is part of the address: 10.0.0.7:8890";
const HOST = "the address is given without a flag: 10.0.0.7:8890";
const SCHEME = "the scheme is part of the address: tcp://, tls://, udp:// or unix:/path";
const FAMILY = "the address says it: 127.0.0.1 or [::1]";

/** What people type who come from nc, curl, ping, iperf3, wrk: our names for it, or a sentence. */
const HABITS: Readonly<Record<string, readonly string[]>> = {
  "--port": [PORT],
  "-p": [PORT],
  "--host": [HOST],
  "--hostname": [HOST],
  "--address": [HOST],
  "--bind": [HOST],
  "--listen": [HOST],
  "--client": [HOST],
  "--tcp": [SCHEME],
  "--tls": [SCHEME],
  "--ssl": [SCHEME],
  "--udp": [SCHEME],
  "--unix": [SCHEME],
  "-u": [SCHEME],
  "-U": [SCHEME],
  "-4": [FAMILY],
  "-6": [FAMILY],
  "--ipv4": [FAMILY],
  "--ipv6": [FAMILY],
  "-k": ["insecure"],
  "-l": ["size", HOST],
  "-w": ["timeout"],
  "-t": ["duration", "timeout"],
  "-P": ["connections"],
  "-v": ["log-level"],
  "--verbose": ["log-level"],
  "--debug": ["log-level"],
  "--silent": ["quiet"],
  "--threads": ["workers"],
  "--parallel": ["connections"],
  "--concurrency": ["connections"],
  "--clients": ["connections", "max-clients"],
  "--requests": ["messages"],
  "--count": ["messages"],
  "--time": ["duration"],
  "--length": ["size"],
  "--bytes": ["size"],
  "--wait": ["timeout", "idle-timeout"],
  "--cacert": ["ca"],
  "--cafile": ["ca"],
  "--output": ["report"],
};

/** What to say of a flag that the command does not have. `word` has its dashes, `names` have none. */
export function unknownFlag(command: string, word: string, names: readonly string[]): string {
  return `unknown flag ${/^[!-~]+$/.test(word) ? word : JSON.stringify(word)}; ${
    nextStep(command, word, names)
  }`;
}

function nextStep(command: string, word: string, names: readonly string[]): string {
  const habits = Object.hasOwn(HABITS, word) ? HABITS[word] : undefined;
  const habit = habits?.find((one) => one.includes(" ") || names.includes(one));
  if (habit?.includes(" ")) return habit;
  const near = habit ??
    (word.startsWith("--") ? closest(word.replace(/^-+/, ""), names) : undefined);
  if (near !== undefined) return `did you mean --${near}?`;
  return `see ${programName()} ${command} --help; a word that begins with - goes after --`;
}

/** The word that was probably meant: one slip of the finger away, and one more for every four letters. */
export function closest(typed: string, words: readonly string[]): string | undefined {
  const scored = words.map((word) => ({ word, slips: slips(typed, word) }));
  scored.sort((a, b) => a.slips - b.slips);
  const [best] = scored;
  if (best !== undefined && best.slips <= Math.max(1, Math.floor(best.word.length / 4))) return best.word;
  return words.find((word) =>
    word.length > 3 && typed.includes(word) || typed.length > 2 && word.startsWith(typed)
  );
}

/** Two letters in the wrong order are one slip. */
function slips(typed: string, word: string): number {
  const sorted = (text: string) => [...text].sort().join("");
  const distance = levenshteinDistance(typed, word);
  return distance === 2 && sorted(typed) === sorted(word) ? 1 : distance;
}
