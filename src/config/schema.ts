/** The JSON schema of the config file, for editors: `ecosystem.schema.json`. */

import type { JsonSchema } from "./kind.ts";
import { objectSchema } from "./object-schema.ts";
import { SUPERVISOR_OPTIONS } from "./table.ts";

export function configSchema(): JsonSchema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "gwpm ecosystem file",
    ...objectSchema(SUPERVISOR_OPTIONS),
    $defs: {
      expression: {
        // biome-ignore lint/suspicious/noTemplateCurlyInString: these are the forms themselves
        description: "Holds ${VAR} or ${VAR:-default}, so that what it says is known only when it is read.",
        type: "string",
        pattern: "\\$\\{",
      },
    },
  };
}

/** As the file holds it. */
export function schemaFile(): string {
  return `${JSON.stringify(configSchema(), null, 2)}\n`;
}
