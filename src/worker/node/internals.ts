/** The few notes that Node's HTTP objects keep under symbols, and that whoever stands in for their socket has to read or write. */

/** @returns `undefined` where this version of Node has no such symbol; callers do without */
export function internalSymbol(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description);
}
