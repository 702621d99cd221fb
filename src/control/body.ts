/** Reads the JSON body of a control request: bounded, and its errors told with their place. */

import type { IncomingMessage } from "node:http";
import { checkValue, type Schema } from "./json-schema.ts";
import { resolveSchema } from "./schemas.ts";
import { OperationError } from "./target.ts";

/** No request of the control API needs more. */
export const MAX_BODY_BYTES = 64 * 1024;

/**
 * @returns the body; an empty one is `{}`
 * @throws OperationError with status 400 for what is not JSON or does not fit the schema, 413 for what is too long
 */
export async function readBody(request: IncomingMessage, schema: Schema): Promise<Record<string, unknown>> {
  const text = await readText(request);
  const value = text.trim() === "" ? {} : await parseJson(text);
  const errors = checkValue(value, schema, resolveSchema);
  if (errors.length > 0) {
    throw new OperationError("GWPM_BAD_BODY", errors.join("; "), { status: 400, exitCode: 2, errors });
  }
  return value as Record<string, unknown>;
}

function readText(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_BODY_BYTES) {
        request.pause();
        chunks.length = 0;
        reject(tooLong());
      } else chunks.push(chunk);
    });
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.on("error", reject);
    // A client that leaves in the middle of its body emits no "end".
    request.on("close", () => reject(new Error("the client left before its request was complete")));
  });
}

function tooLong(): OperationError {
  return new OperationError(
    "GWPM_BODY_TOO_LONG",
    `the body is longer than ${MAX_BODY_BYTES} bytes, the most that is read here`,
    { status: 413, exitCode: 2 },
  );
}

async function parseJson(text: string): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch {
    throw new OperationError("GWPM_BAD_JSON", await whereWrong(text), { status: 400, exitCode: 2 });
  }
}

/** `JSON.parse` tells the place in some messages and some versions only; this parser always does. */
async function whereWrong(text: string): Promise<string> {
  const { parse, printParseErrorCode } = await import("jsonc-parser");
  const errors: import("jsonc-parser").ParseError[] = [];
  parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  const first = errors[0];
  if (first === undefined) return "the body is not JSON";
  const before = text.slice(0, first.offset).split("\n");
  const place = `line ${before.length}, column ${before[before.length - 1]!.length + 1}`;
  const what = printParseErrorCode(first.error)
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  return `the body is not JSON: ${what} at ${place}`;
}
