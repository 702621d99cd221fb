/** Joins pieces of a bounded message: one piece is kept as it is, several are copied into a buffer that doubles. */

export class ByteCollector {
  #bytes: Buffer | undefined;
  #length = 0;
  #owned = false;

  get length(): number {
    return this.#length;
  }

  /** The caller bounds the total, and gives up `piece`. */
  add(piece: Buffer): void {
    if (this.#bytes === undefined) {
      this.#bytes = piece;
    } else {
      this.#reserve(this.#length + piece.length);
      piece.copy(this.#bytes, this.#length);
    }
    this.#length += piece.length;
  }

  /** Everything so far; good until the next {@link add}. */
  peek(): Buffer {
    return this.#bytes?.subarray(0, this.#length) ?? Buffer.alloc(0);
  }

  /** Everything so far, and begins anew. */
  take(): Buffer {
    const bytes = this.peek();
    this.#bytes = undefined;
    this.#length = 0;
    this.#owned = false;
    return bytes;
  }

  /** A list of pieces would cost far more than its bytes where a peer sends them one by one. */
  #reserve(size: number): void {
    const bytes = this.#bytes!;
    if (this.#owned && bytes.length >= size) return;
    this.#bytes = Buffer.allocUnsafe(Math.max(2 * size, 1024));
    bytes.copy(this.#bytes, 0, 0, this.#length);
    this.#owned = true;
  }
}
