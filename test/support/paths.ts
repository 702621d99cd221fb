/** Where the project's own files are, wherever the tests run from. */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The project's root: the nearest folder upwards with a package.json. */
export const ROOT = findRoot(import.meta.dirname);

/** The built command that users run. */
export const GWPM_BIN = join(ROOT, "dist", "bin", "gwpm.js");

/** A demo application under `test/fixtures/apps/`. */
export const app = (file: string): string => join(ROOT, "test", "fixtures", "apps", file);

/** A misbehaving worker under `test/fixtures/workers/`. */
export const faultyWorker = (file: string): string => join(ROOT, "test", "fixtures", "workers", file);

function findRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) throw new Error(`No package.json in or above ${from}`);
  }
}
