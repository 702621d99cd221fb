/** Which worker is given a connection that another one hands over. */

export interface Adopter {
  readonly id: number;
  /** False for a worker that is itself about to be replaced: it would hand the connection over once more. */
  readonly current: boolean;
  /** Those that it has, and those that are on their way to it. */
  readonly connections: number;
}

/** Current ones first, of those the one with the fewest connections. @returns its id; `null` where there is nobody */
export function chooseAdopter(workers: readonly Adopter[]): number | null {
  const [first] = [...workers].sort(
    (a, b) => Number(b.current) - Number(a.current) || a.connections - b.connections,
  );
  return first?.id ?? null;
}
