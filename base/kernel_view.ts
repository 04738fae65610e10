/** What the kernel says of a TCP connection: TCP_INFO of tcp(7). */

/** Times are milliseconds. */
export interface KernelView {
  /** The smoothed round-trip time, and how much it varies. */
  readonly rtt: number;
  readonly rttVar: number;
  /** Segments that were sent again since the connection was made. */
  readonly retransmits: number;
  /** The largest segment that is sent, in bytes. */
  readonly mss: number;
  /** The largest packet that the path takes, in bytes. */
  readonly pathMtu: number;
}

/** In words, for a person. */
export function showKernelView({ rtt, rttVar, retransmits, mss, pathMtu }: KernelView): string {
  return `rtt ${rtt.toFixed(3)} ms (varies by ${rttVar.toFixed(3)}), ${retransmits} retransmits, ` +
    `mss ${mss} bytes, path MTU ${pathMtu} bytes`;
}
