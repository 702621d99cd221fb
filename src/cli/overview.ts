/** What `gwpm --help` prints. */

import { VERBS, type VerbEntry } from "./verbs.ts";

/** @returns the whole text, its last line feed included */
export function overview(): string {
  const now = VERBS.filter(({ load }) => load !== null);
  const later = VERBS.filter(({ load }) => load === null);
  const width = Math.max(...now.map((entry) => head(entry).length));
  const line = (entry: VerbEntry) => `  ${head(entry).padEnd(width)}  ${entry.summary}`;
  return `Usage: gwpm <verb> [pool…] [flags]

Runs FastCGI, SCGI and HTTP workers behind a front end, and keeps them running.

${now.map(line).join("\n")}

Not yet:
${wrap(later.map(({ name }) => name).join(", "), 90)}

Flags for every verb, anywhere:
  -c, --config FILE  the config file; otherwise the ecosystem file in this folder
  --env NAME         lay the config's env_NAME blocks over env
  --socket PATH      the control socket of the supervisor to talk to
  --help             of a verb, with an example

Example:
  gwpm run app.mjs               # one file, on http://127.0.0.1:8080
  gwpm init && gwpm start        # a config, and a daemon that runs it
  gwpm reload web                # new code, no request lost
`;
}

function head({ name, usage }: VerbEntry): string {
  return usage === "" ? name : `${name} ${usage}`;
}

function wrap(text: string, width: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join("\n");
}
