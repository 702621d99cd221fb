/** Turns the bytes of a variable's name into a string without making a new one each time: the names of CGI variables are few. */

const SLOTS = 512;

/** A direct-mapped cache: a name that falls on another's slot takes it over, so hostile names cost time but no memory. */
export class NameTable {
  readonly #names: (string | undefined)[] = new Array(SLOTS).fill(undefined);

  /** The latin1 string of `bytes[start…end)`. */
  get(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    const middle = bytes[start + (length >> 1)]!;
    const slot =
      (length * 31 + bytes[end - 1]! * 7 + middle * 3 + bytes[end - (length >> 2) - 1]!) & (SLOTS - 1);
    const known = this.#names[slot];
    if (known !== undefined && sameBytes(known, bytes, start, length)) return known;
    const name = bytes.toString("latin1", start, end);
    // Long names are not worth remembering: they would pin up to 64 KiB each.
    if (length <= 64) this.#names[slot] = name;
    return name;
  }
}

/** Whether `bytes` from `start` on are the latin1 form of `text`, which is `length` characters long. */
export function sameBytes(text: string, bytes: Buffer, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = length - 1; i >= 0; i--) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
