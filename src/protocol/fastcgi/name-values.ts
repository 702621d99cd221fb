/** Name-value pairs (specification, section 3.4): a length of one or four bytes for each, then the bytes. */

/** Reads a length; four bytes where the top bit of the first is set. The caller makes sure that they are there. */
export function readLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  return first < 0x80
    ? first
    : ((first & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** How many bytes a length takes, judged by its first one. */
export function lengthSize(first: number): 1 | 4 {
  return first < 0x80 ? 1 : 4;
}

/** A length in its shortest form. */
export function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  return Buffer.from([(length >>> 24) | 0x80, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff]);
}

/** Writes a length in its shortest form. @returns the position after it */
export function writeLength(target: Buffer, at: number, length: number): number {
  if (length < 0x80) {
    target[at] = length;
    return at + 1;
  }
  return target.writeInt32BE(length | 0x80000000, at);
}

/** One pair; strings are latin1. */
export function encodePair(name: string, value: string): Buffer {
  const size = (name.length < 0x80 ? 1 : 4) + (value.length < 0x80 ? 1 : 4) + name.length + value.length;
  const pair = Buffer.allocUnsafe(size);
  let at = writeLength(pair, 0, name.length);
  at = writeLength(pair, at, value.length);
  at += pair.write(name, at, "latin1");
  pair.write(value, at, "latin1");
  return pair;
}

/**
 * Steps through pairs without decoding them. One object walks a whole block: `while (cursor.next()) use(cursor.nameStart, …)`.
 */
export class PairCursor {
  readonly #block: Buffer;
  nameStart = 0;
  valueStart = 0;
  valueEnd = 0;

  constructor(block: Buffer) {
    this.#block = block;
  }

  /** Moves to the next pair. @returns false at the end, or before a pair that the block does not hold whole ({@link truncated}) */
  next(): boolean {
    const block = this.#block;
    const size = block.length;
    let at = this.valueEnd;
    if (at >= size) return false;
    if (at + lengthSize(block[at]!) >= size) return false;
    const nameLength = readLength(block, at);
    at += lengthSize(block[at]!);
    if (at + lengthSize(block[at]!) > size) return false;
    const valueLength = readLength(block, at);
    at += lengthSize(block[at]!);
    // Both lengths are below 2^31, so the sum is exact; nothing is ever allocated from a claimed length (CVE-2025-23016).
    if (nameLength + valueLength > size - at) return false;
    this.nameStart = at;
    this.valueStart = at + nameLength;
    this.valueEnd = this.valueStart + valueLength;
    return true;
  }

  /** After {@link next} has returned false: whether bytes are left over. */
  get truncated(): boolean {
    return this.valueEnd < this.#block.length;
  }
}
