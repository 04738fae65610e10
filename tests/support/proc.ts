/** What Linux tells of a process: proc(5). */

/** The fields of /proc/PID/stat from the third on, the state. */
const stat = (pid: number) => Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
/** Whether it was stopped, by SIGSTOP. */
export const isStopped = (pid: number) => stat(pid)[0] === "T";
/** Processor time in seconds (proc(5): in ticks, of which there are 100 a second). */
export const cpuSeconds = (pid: number) => (Number(stat(pid)[11]) + Number(stat(pid)[12])) / 100;
/** Resident memory in MB: VmRSS is all of it, RssAnon leaves out the pages of Deno's own executable. */
export const residentMB = (pid: number, row: "VmRSS" | "RssAnon") =>
  Number(new RegExp(`${row}:\\s+(\\d+)`).exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) / 1024;
/** How many descriptors it has open. */
export const descriptors = (pid: number) => [...Deno.readDirSync(`/proc/${pid}/fd`)].length;

/** How many TCP ports the process listens on: /proc/PID/net/tcp has those of everybody, by inode. */
export function listeners(pid: number): number {
  const own = new Set<string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      own.add(Deno.readLinkSync(`/proc/${pid}/fd/${name}`));
    } catch { /* it was closed meanwhile */ }
  }
  const rows = ["tcp", "tcp6"].flatMap((table) =>
    Deno.readTextFileSync(`/proc/${pid}/net/${table}`).split("\n").slice(1).map((row) =>
      row.trim().split(/\s+/)
    )
  );
  return rows.filter((row) => row[3] === "0A" && own.has(`socket:[${row[9]}]`)).length;
}
