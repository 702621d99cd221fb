/** The kind of a user or group: a name that the machine knows, or a number. */

import type { Host } from "./host.ts";
import { type Kind, scalar } from "./kind.ts";
import { show } from "./units.ts";

export function account(what: "user" | "group"): Kind<string> {
  return scalar({
    label: `${what} name or id`,
    schema: { type: ["string", "integer"], minimum: 0 },
    parse(value, { host }) {
      if (Number.isSafeInteger(value) && (value as number) >= 0) return String(value);
      if (typeof value !== "string" || value === "" || /[:\n\0]/.test(value)) {
        throw new RangeError(`must be the name or the number of a ${what}, not ${show(value)}`);
      }
      if (/^\d+$/.test(value) || exists(host, what, value)) return value;
      throw new RangeError(
        `there is no ${what} ${show(value)} in /etc/${what === "user" ? "passwd" : "group"}; create it, or write a number`,
      );
    },
  });
}

function exists(host: Host, what: "user" | "group", name: string): boolean {
  return what === "user" ? host.userExists(name) : host.groupExists(name);
}
