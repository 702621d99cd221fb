/** The one budget that every voluntary stop draws on: the ready count never falls below the floor. */

export interface Capacity {
  /** Workers that accept, of whatever generation. */
  readonly ready: number;
  /** The wanted count. */
  readonly floor: number;
}

/** @returns whether a ready worker may be stopped now */
export function maySpareOne(capacity: Capacity): boolean {
  return capacity.ready > capacity.floor;
}
