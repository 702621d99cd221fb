import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addHistogram,
  BUCKET_COUNT,
  bucketOf,
  emptyHistogram,
  type Histogram,
  percentile,
  upperBound,
} from "../../../src/core/histogram.ts";

function histogramOf(latencies: readonly number[]): Histogram {
  const counts = [...emptyHistogram().counts];
  for (const ms of latencies) counts[bucketOf(ms)]!++;
  return { counts, maxMs: Math.max(0, ...latencies) };
}

describe("buckets", () => {
  test.each([
    [0, 0],
    [0.0625, 0],
    [0.063, 1],
    [0.125, 4],
    [Number.NaN, 0],
    [-1, 0],
    [1e9, BUCKET_COUNT - 1],
    [Number.POSITIVE_INFINITY, BUCKET_COUNT - 1],
  ])("%d ms is counted in bucket %d", (ms, bucket) => {
    expect(bucketOf(ms)).toBe(bucket);
  });

  test("hold what lies between their bounds", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), (ms) => {
        const bucket = bucketOf(ms);
        // A latency on a bound may be rounded into either neighbour.
        expect(ms).toBeLessThanOrEqual(upperBound(bucket) * (1 + 1e-12));
        if (bucket > 0) expect(ms).toBeGreaterThan(upperBound(bucket - 1) * (1 - 1e-12));
      }),
    );
  });
});

describe("percentiles", () => {
  test("of nothing are not known", () => {
    expect(percentile(emptyHistogram(), 0.5)).toBeNull();
  });

  test("are within a bucket's width of the exact ones", () => {
    const latencies = fc.array(fc.double({ min: 0.1, max: 100_000, noNaN: true }), {
      minLength: 1,
      maxLength: 200,
    });
    fc.assert(
      fc.property(latencies, fc.constantFrom(0.01, 0.5, 0.95, 0.99), (values, fraction) => {
        const sorted = values.toSorted((a, b) => a - b);
        const exact = sorted[Math.ceil(fraction * sorted.length) - 1]!;
        const told = percentile(histogramOf(values), fraction)!;
        expect(told).toBeGreaterThanOrEqual(exact / 1.2);
        expect(told).toBeLessThanOrEqual(exact * 1.2);
      }),
    );
  });

  test("of all requests are the longest, exactly", () => {
    expect(percentile(histogramOf([1, 2, 12_345.6]), 1)).toBe(12_345.6);
  });
});

test("the sum of two histograms is the histogram of both", () => {
  const [a, b] = [
    [0.5, 3, 3],
    [7_000, 3],
  ];
  expect(addHistogram(histogramOf(a!), histogramOf(b!))).toEqual(histogramOf([...a!, ...b!]));
});
