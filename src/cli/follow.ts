/** Reads an NDJSON stream of the control API to its end, or for as long as anybody reads what we print. */

import type { ControlClient } from "../control/client.ts";
import type { StreamNotice } from "../control/messages.ts";
import { CliError } from "./failure.ts";
import { writeText } from "./output.ts";
import type { Io } from "./verb.ts";

/**
 * Prints each line of the answer.
 *
 * @param render one document as text, without line feed; `null` prints the line as it came
 * @throws CliError when the supervisor dropped us for being too slow
 */
export async function printStream<Document>(
  client: ControlClient,
  path: string,
  io: Io,
  render: ((document: Document) => string) | null,
): Promise<void> {
  const unread = new AbortController();
  const stop = () => unread.abort();
  io.stdout.once("error", stop);
  io.stdout.once("close", stop);
  try {
    for await (const line of client.stream(path, unread.signal)) {
      const document = JSON.parse(line) as Document | StreamNotice;
      if (isNotice(document)) throw dropped(document);
      await writeText(io.stdout, `${render === null ? line : render(document)}\n`);
    }
  } finally {
    io.stdout.off("error", stop);
    io.stdout.off("close", stop);
  }
}

function isNotice(document: unknown): document is StreamNotice {
  return typeof document === "object" && document !== null && "gwpm" in document;
}

function dropped(notice: StreamNotice): CliError {
  return new CliError(`the supervisor ended the stream: ${notice.detail}`);
}

/** `/v1/logs?pool=a&last=10`; what is undefined is left out. */
export function pathWith(
  path: string,
  query: Readonly<Record<string, string | number | readonly string[] | undefined>>,
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const item of Array.isArray(value) ? value : [value]) search.append(name, String(item));
  }
  const text = search.toString();
  return text === "" ? path : `${path}?${text}`;
}
