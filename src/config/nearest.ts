/** "Did you mean": the known name that is nearest to a mistyped one. */

/**
 * @param aliases names used elsewhere (PM2, php-fpm) for known ones: `instances` → `workers`
 * @returns undefined when nothing is near enough to be what was meant
 */
export function nearest(
  name: string,
  known: readonly string[],
  aliases: ReadonlyMap<string, string> = new Map(),
): string | undefined {
  const wanted = plain(name);
  const alias = [...aliases].find(([other]) => plain(other) === wanted);
  if (alias !== undefined) return alias[1];

  let best: string | undefined;
  let bestDistance = (wanted.length < 4 ? 1 : Math.max(2, Math.floor(wanted.length / 3))) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < bestDistance && distance < candidate.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `node_args`, `node-args` and `NodeArgs` are one slip from `nodeArgs`, not four. */
function plain(name: string): string {
  return name
    .slice(0, 64)
    .replaceAll(/[_\-\s]/g, "")
    .toLowerCase();
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment) between two short names. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
