/** A network of its own for a test, which takes root. */

import { has } from "./helpers.ts";

/**
 * Two network namespaces and a cable between them: 10.77.0.1, fd77::1 and fe80::1 here, 10.77.0.2, fd77::2 and
 * fe80::2 there.
 */
export class Network implements AsyncDisposable {
  readonly there: string;

  private constructor(readonly here: string, readonly cable: string) {
    this.there = `echo-${Deno.pid}-${cable}`;
  }

  /** With its end here in a namespace that is there already, or in one of its own. */
  static async make(cable = "cable", here?: string): Promise<Network> {
    const network = new Network(here ?? `echo-${Deno.pid}`, cable);
    const { there } = network;
    try {
      for (const name of here === undefined ? [network.here, there] : [there]) await ip("netns", "add", name);
      const link = ["link", "add", cable, "type", "veth", "peer", "name", cable, "netns", there];
      await ip("-n", network.here, ...link);
      for (const [name, end] of [[network.here, 1], [there, 2]] as const) {
        await ip("-n", name, "link", "set", cable, "addrgenmode", "none");
        await ip("-n", name, "address", "add", `10.77.0.${end}/24`, "dev", cable);
        await ip("-n", name, "address", "add", `fd77::${end}/64`, "dev", cable, "nodad");
        await ip("-n", name, "address", "add", `fe80::${end}/64`, "dev", cable, "nodad");
        await ip("-n", name, "link", "set", cable, "up");
        await ip("-n", name, "link", "set", "lo", "up");
      }
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [this.there, this.here]) await ip("netns", "delete", name).catch(() => {});
  }
}

export async function ip(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args }).output();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Whether namespaces may be made here: root in a container often may not. */
export async function mayMakeNetworks(): Promise<boolean> {
  if (Deno.uid() !== 0 || !has("ip")) return false;
  try {
    await (await Network.make())[Symbol.asyncDispose]();
    return true;
  } catch {
    return false;
  }
}
