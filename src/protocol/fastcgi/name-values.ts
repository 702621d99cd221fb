/** Name-value pairs (specification, section 3.4): a length of one or four bytes for each, then the bytes. */

/** Reads a length from latin1 text; four bytes where the top bit of the first is set. The caller makes sure that they are there. */
export function readLength(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first < 0x80) return first;
  return (
    ((first & 0x7f) << 24) |
    (text.charCodeAt(at + 1) << 16) |
    (text.charCodeAt(at + 2) << 8) |
    text.charCodeAt(at + 3)
  );
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
 * Steps through pairs without cutting them out. One object walks a whole block: `while (cursor.next()) use(cursor.nameStart, …)`.
 */
export class PairCursor {
  readonly #text: string;
  nameStart = 0;
  valueStart = 0;
  valueEnd = 0;

  /** @param text latin1 */
  constructor(text: string) {
    this.#text = text;
  }

  /** Moves to the next pair. @returns false at the end, or before a pair that the text does not hold whole ({@link truncated}) */
  next(): boolean {
    const text = this.#text;
    const size = text.length;
    let at = this.valueEnd;
    if (at >= size) return false;
    // Beyond the end, charCodeAt() is NaN and a length comes out too small; the check below catches it, as `at` is past the end by then.
    let nameLength = text.charCodeAt(at++);
    if (nameLength >= 0x80) {
      nameLength = readLength(text, at - 1);
      at += 3;
    }
    let valueLength = text.charCodeAt(at++);
    if (valueLength >= 0x80) {
      valueLength = readLength(text, at - 1);
      at += 3;
    }
    // Both lengths are below 2^31, so the sum is exact; nothing is ever allocated from a claimed length (CVE-2025-23016).
    if (at > size || nameLength + valueLength > size - at) return false;
    this.nameStart = at;
    this.valueStart = at + nameLength;
    this.valueEnd = this.valueStart + valueLength;
    return true;
  }

  /** After {@link next} has returned false: whether something is left over. */
  get truncated(): boolean {
    return this.valueEnd < this.#text.length;
  }
}
