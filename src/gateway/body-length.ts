/** Whether a message has a body, and how long it is (RFC 9110 §6.4.1 and §8.6). */

/** `null`: until the end of the stream. */
export type BodyLength = number | null;

/**
 * @param headers name, value, …
 * @throws RangeError with a clause for an error message, where Content-Length is not one number
 */
export function responseLength(method: string, status: number, headers: readonly string[]): BodyLength {
  const declared = contentLength(headers);
  if (method === "HEAD" || status === 204 || status === 304) return 0;
  return declared;
}

/** @throws RangeError with a clause for an error message */
export function contentLength(headers: readonly string[]): BodyLength {
  let length: BodyLength = null;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== "content-length") continue;
    const text = headers[i + 1]!;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : null;
    if (value === null) throw new RangeError(`its Content-Length is ${JSON.stringify(text.slice(0, 40))}`);
    if (length !== null && length !== value) {
      throw new RangeError(`it has two Content-Lengths, ${length} and ${value}`);
    }
    length = value;
  }
  return length;
}

/** Methods for which "no body" has to be said (RFC 9110 §8.6). */
export function expectsBody(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}
