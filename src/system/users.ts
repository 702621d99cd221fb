/** Users and groups by name, from the system's files. */

import * as fs from "node:fs";

/** @throws Error that names the user when there is none of that name */
export function userId(nameOrId: string): number {
  return lookUp("/etc/passwd", "user", nameOrId);
}

/** @throws Error that names the group when there is none of that name */
export function groupId(nameOrId: string): number {
  return lookUp("/etc/group", "group", nameOrId);
}

function lookUp(file: string, what: string, nameOrId: string): number {
  if (/^\d+$/.test(nameOrId)) return Number(nameOrId);
  for (const line of fs.readFileSync(file, "utf8").split("\n")) {
    const [name, , id] = line.split(":");
    if (name === nameOrId && id !== undefined) return Number(id);
  }
  throw new Error(`there is no ${what} "${nameOrId}" in ${file}`);
}
