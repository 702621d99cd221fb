/** Whether a script, or a file of its own that it imports, speaks of gwpm: only then can it want the package. */

import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

const NAME = "gwpm";
/** What follows `from`, `import`, `import(` or `require(` and is a file beside the importing one. */
const RELATIVE_IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g;
/** What `require` may leave out of a file's name. */
const COMPLETIONS = ["", ".js", ".cjs", ".mjs", ".json", "/index.js"];
/** An app of more files is not read through: it gets what it may not need. */
const MAX_FILES = 500;

/**
 * Looks at the text, not at what the code does: it may say yes for a comment, which costs some milliseconds, and no for an import whose
 * name is put together at run time, which nobody writes.
 *
 * @param script absolute path
 */
export function mentionsGwpm(script: string): boolean {
  const seen = new Set([script]);
  for (const file of seen) {
    if (seen.size > MAX_FILES) return true;
    const text = readText(file);
    if (text.includes(NAME)) return true;
    for (const [, specifier] of text.matchAll(RELATIVE_IMPORT)) {
      const found = COMPLETIONS.map((end) => resolve(dirname(file), specifier + end)).find(isFile);
      if (found !== undefined) seen.add(found);
    }
  }
  return false;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function readText(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    // What cannot be read cannot be imported either; the import will say so.
    return "";
  }
}
