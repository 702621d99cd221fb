/** Makes hostile input of honest: a few changes each, so that most of it still gets past the first check. */

import type { Random } from "./random.ts";

type Mutation = (input: Buffer, random: Random, corpus: readonly Buffer[]) => Buffer;

const INTERESTING = [0, 1, 7, 8, 0x30, 0x3a, 0x2c, 0x7f, 0x80, 0xff];

const mutations: readonly Mutation[] = [
  function flipBit(input, random) {
    const output = Buffer.from(input);
    output[random.below(output.length)]! ^= 1 << random.below(8);
    return output;
  },
  function setByte(input, random) {
    const output = Buffer.from(input);
    output[random.below(output.length)] = random.pick(INTERESTING);
    return output;
  },
  function truncate(input, random) {
    return input.subarray(0, random.below(input.length) + 1);
  },
  function remove(input, random) {
    const [start, end] = range(input, random);
    return Buffer.concat([input.subarray(0, start), input.subarray(end)]);
  },
  function repeat(input, random) {
    const [start, end] = range(input, random);
    const part = input.subarray(start, end);
    return Buffer.concat([
      input.subarray(0, end),
      ...Array(random.below(20)).fill(part),
      input.subarray(end),
    ]);
  },
  function insertRandom(input, random) {
    const at = random.below(input.length);
    const bytes = Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256)));
    return Buffer.concat([input.subarray(0, at), bytes, input.subarray(at)]);
  },
  function splice(input, random, corpus) {
    const other = random.pick(corpus);
    const [start, end] = range(other, random);
    const at = random.below(input.length);
    return Buffer.concat([input.subarray(0, at), other.subarray(start, end), input.subarray(at)]);
  },
  function join(input, random, corpus) {
    return Buffer.concat([input, random.pick(corpus)]);
  },
  /** A header field of some FastCGI record, if this is FastCGI. */
  function changeHeader(input, random) {
    const output = Buffer.from(input);
    const starts = recordStarts(output);
    const start = random.pick(starts);
    output[Math.min(start + random.below(8), output.length - 1)] = random.pick(INTERESTING);
    return output;
  },
];

/** Longest input; corpora hold some of 64 KiB. */
const MAX_LENGTH = 300_000;

export function mutate(corpus: readonly Buffer[], random: Random): Buffer {
  let output = random.pick(corpus);
  for (let rounds = random.below(6); rounds > 0 && output.length > 0; rounds--) {
    output = random.pick(mutations)(output, random, corpus).subarray(0, MAX_LENGTH);
  }
  return output;
}

/** Pieces as reads might deliver them. */
export function cut(input: Buffer, random: Random): Buffer[] {
  const pieces: Buffer[] = [];
  const largest = random.pick([1, 3, 9, 100, 5_000, 100_000]);
  // Byte by byte only where it does not take all day.
  const limit = input.length > 20_000 ? Math.max(largest, 500) : largest;
  for (let at = 0; at < input.length; ) {
    const end = Math.min(at + 1 + random.below(limit), input.length);
    pieces.push(input.subarray(at, end));
    at = end;
  }
  return pieces;
}

function range(input: Buffer, random: Random): [start: number, end: number] {
  const start = random.below(input.length);
  return [start, Math.min(start + 1 + random.below(64), input.length)];
}

function recordStarts(bytes: Buffer): number[] {
  const starts = [0];
  for (let at = 0; at + 8 <= bytes.length; ) {
    at += 8 + bytes.readUInt16BE(at + 4) + bytes[at + 6]!;
    if (at < bytes.length) starts.push(at);
  }
  return starts;
}
