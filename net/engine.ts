/** Which engine can be used here. */

/** What moves the bytes: `Deno.Conn`, or a loop of our own over libc (net/libc). */
export type Engine = "deno" | "epoll";

/** Why the engine epoll cannot be used in this thread, if so. */
export function epollObstacle(): string | undefined {
  return "this program was made without it";
}
