/** The version of the package that this file belongs to, for SERVER_SOFTWARE. */

import { readFileSync } from "node:fs";

/** Seen from the source tree, and from the build in `dist`. */
const PLACES = ["../../../package.json", "../../../../package.json"];

export function gwpmVersion(): string {
  for (const place of PLACES) {
    try {
      const { version } = JSON.parse(readFileSync(new URL(place, import.meta.url), "utf8"));
      return String(version);
    } catch {
      // Not here; the next place is.
    }
  }
  return "unknown";
}
