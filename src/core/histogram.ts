/** Latencies on a logarithmic scale: a fixed number of counters that tell percentiles within a few percent, and that add up across workers. */

/** Upper bound of the first bucket, in ms. */
const FIRST_BOUND_MS = 0.0625;
/** Each bucket is 2^(1/4) = 19 % wider than the one before. */
const BUCKETS_PER_DOUBLING = 4;
/** The last one begins at 880 s and holds everything longer. */
export const BUCKET_COUNT = 96;

/** Requests per bucket, and the longest of all. */
export interface Histogram {
  readonly counts: readonly number[];
  readonly maxMs: number;
}

export function emptyHistogram(): Histogram {
  return { counts: new Array<number>(BUCKET_COUNT).fill(0), maxMs: 0 };
}

/** The bucket that a latency is counted in. */
export function bucketOf(ms: number): number {
  // Written so that NaN, too, ends in the first one.
  if (!(ms > FIRST_BOUND_MS)) return 0;
  const bucket = Math.ceil(Math.log2(ms / FIRST_BOUND_MS) * BUCKETS_PER_DOUBLING);
  return bucket < BUCKET_COUNT ? bucket : BUCKET_COUNT - 1;
}

/** The longest latency, in ms, that a bucket counts. */
export function upperBound(bucket: number): number {
  return bucket >= BUCKET_COUNT - 1
    ? Number.POSITIVE_INFINITY
    : FIRST_BOUND_MS * 2 ** (bucket / BUCKETS_PER_DOUBLING);
}

export function addHistogram(a: Histogram, b: Histogram): Histogram {
  return {
    counts: a.counts.map((count, i) => count + (b.counts[i] ?? 0)),
    maxMs: Math.max(a.maxMs, b.maxMs),
  };
}

/**
 * @param fraction 0.95 for the 95th percentile; 1 for the longest, which is exact
 * @returns ms, interpolated within the bucket; `null` where nothing has been counted
 */
export function percentile(histogram: Histogram, fraction: number): number | null {
  const total = histogram.counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  if (fraction >= 1) return histogram.maxMs;
  const rank = fraction * total;
  let before = 0;
  for (const [bucket, count] of histogram.counts.entries()) {
    if (count > 0 && before + count >= rank) return within(histogram, bucket, (rank - before) / count);
    before += count;
  }
  return histogram.maxMs;
}

function within(histogram: Histogram, bucket: number, part: number): number {
  const low = bucket === 0 ? 0 : upperBound(bucket - 1);
  const high = Math.min(upperBound(bucket), histogram.maxMs);
  return high <= low ? high : low + (high - low) * part;
}
