/** What pools must not share: a name, an address. */

import { type Address, formatAddress } from "../core/address.ts";
import type { Place } from "./place.ts";
import type { PoolDraft } from "./pool.ts";

export function reportSharedNames(pools: readonly PoolDraft[]): void {
  const firstOf = new Map<string, PoolDraft>();
  for (const pool of pools) {
    const { name } = pool.values;
    if (name === undefined) continue;
    const first = firstOf.get(name);
    if (first === undefined) firstOf.set(name, pool);
    else pool.place.at("name").fail(`"${name}" is already the name of ${first.place.path}; choose another`);
  }
}

interface Claim {
  readonly address: Address;
  /** Where the first claim stands, as the error about the second names it. */
  readonly by: string;
  readonly place: Place;
}

/** @param controlSocket it takes an address too */
export function reportSharedAddresses(
  pools: readonly PoolDraft[],
  controlSocket: string,
  controlPlace: Place,
): void {
  const control: Claim = {
    address: { kind: "unix", path: controlSocket },
    by: "the control socket",
    place: controlPlace,
  };
  const claims = [control, ...pools.flatMap(claimsOf)];
  claims.forEach((claim, index) => {
    const earlier = claims.slice(0, index).find((other) => collide(claim.address, other.address));
    if (earlier === undefined) return;
    claim.place.fail(`${formatAddress(claim.address)} is already taken by ${earlier.by}; choose another`);
  });
}

function claimsOf({ values, place }: PoolDraft): Claim[] {
  const listeners = (values.listen ?? []).map(({ address, place: at }) => ({
    address,
    by: at.path,
    place: at,
  }));
  if (values.http == null) return listeners;
  const at = place.at("http");
  return [...listeners, { address: values.http, by: at.path, place: at }];
}

/** Whether the second `bind` would fail: a wildcard takes the port on every address of its family; port 0 is any free one. */
function collide(a: Address, b: Address): boolean {
  if (a.kind === "unix" || b.kind === "unix") {
    return a.kind === "unix" && b.kind === "unix" && a.path === b.path;
  }
  if (a.port !== b.port || a.port === 0 || a.family !== b.family) return false;
  const wildcard = a.family === 4 ? "0.0.0.0" : "::";
  return a.host === b.host || a.host === wildcard || b.host === wildcard;
}
