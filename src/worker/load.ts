/** Imports the script of a pool, and says what is missing where Node's own message would not. */

import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";

const TYPESCRIPT = /\.[cm]?ts$/;

/**
 * @param file absolute path of an ES or CommonJS module
 * @throws whatever the module throws, as it is: its stack names the app's own lines
 */
export async function loadScript(file: string): Promise<Record<string, unknown>> {
  if (!existsSync(file)) throw new Error(`Cannot find the script ${file}`);
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    if (TYPESCRIPT.test(file) && isUnknownExtension(cause)) throw new Error(typescriptHint(file), { cause });
    throw cause;
  }
}

function isUnknownExtension(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "ERR_UNKNOWN_FILE_EXTENSION";
}

function typescriptHint(file: string): string {
  return (
    `Cannot run ${file}: Node ${process.versions.node} does not read TypeScript. ` +
    `Use Node 22.18 or later, or install tsx and set "nodeArgs": ["--import", "tsx"] for this pool`
  );
}
