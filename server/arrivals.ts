/** Connections on their way in: what they go through before their first byte is echoed. */

import type { Accepted, Welcome } from "../net/stream.ts";
import type { Connection, Outcome } from "./connection.ts";

/** The connections of one server that go through their welcomes. They take no slot of --max-clients. */
export class Arrivals {
  /** Oldest first. */
  readonly #connections = new Set<Connection>();

  /** How many they are. */
  get size(): number {
    return this.#connections.size;
  }

  /**
   * Takes a connection through its welcomes. Returns undefined if it is to be served now, else how it ended; its
   * stream is closed then. Throws where it met a defect of our own.
   */
  async welcome(
    connection: Connection,
    accepted: Accepted,
    welcomes: readonly Welcome[],
  ): Promise<Outcome | undefined> {
    connection.phase = "arriving";
    this.#connections.add(connection);
    try {
      for (const welcome of welcomes) {
        accepted = await welcome(accepted);
        connection.accept(accepted);
        if (connection.cut === undefined) continue;
        accepted.stream.close(); // the one before it was closed already
        return connection.cut;
      }
      return undefined;
    } catch (error) {
      if (connection.cut === undefined) connection.stream.close();
      return connection.failed(error);
    } finally {
      this.#connections.delete(connection);
    }
  }

  /** The `n` oldest that can be ended, the least likely to be honest. */
  oldest(n: number): Connection[] {
    return [...this.#connections.values().filter(({ stream }) => !stream.lingers).take(n)];
  }

  /** It has ended, though its welcome may not have. */
  delete(connection: Connection): void {
    this.#connections.delete(connection);
  }
}
