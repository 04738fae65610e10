/**
 * What sets the schemes of addresses apart: a row each. Who must know asks for the trait, and never for the name, so
 * that a new scheme is a row here, a module in net/ and a line of net/schemes.ts.
 */

/** What is to be known of a scheme. */
export interface Traits {
  /** Messages travel one by one, without a connection or an order, and some are lost. */
  readonly datagrams: boolean;
  /** The bytes go through TLS. */
  readonly encrypted: boolean;
  /** The address is a path of this machine, and no host and port. */
  readonly local: boolean;
  /** Several threads can listen on one address, and the kernel shares its clients out (SO_REUSEPORT, socket(7)). */
  readonly shareable: boolean;
}

const TRAITS = {
  tcp: { datagrams: false, encrypted: false, local: false, shareable: true },
  udp: { datagrams: true, encrypted: false, local: false, shareable: false },
  tls: { datagrams: false, encrypted: true, local: false, shareable: true },
  unix: { datagrams: false, encrypted: false, local: true, shareable: false },
} as const satisfies Record<string, Traits>;

/** What stands before `://` in an address. */
export type Scheme = keyof typeof TRAITS;

/** The schemes that have the trait, as a type: `SchemeWith<"local">` is `"unix"`. */
export type SchemeWith<T extends keyof Traits> = {
  [S in Scheme]: (typeof TRAITS)[S][T] extends true ? S : never;
}[Scheme];

/** All schemes, in the order in which they are named to a person. */
export const SCHEMES = Object.keys(TRAITS) as readonly Scheme[];

/** The row of a scheme. */
export function traits(scheme: Scheme): Traits {
  return TRAITS[scheme];
}
