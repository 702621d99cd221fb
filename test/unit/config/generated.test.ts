/** The committed schema and reference page are what the option table says. `npm run schema` writes them. */

import { expect, test } from "vitest";
import { referencePage } from "../../../src/config/reference.ts";
import { schemaFile } from "../../../src/config/schema.ts";

test.each([
  ["ecosystem.schema.json", schemaFile],
  ["docs/config.md", referencePage],
])("%s is up to date; if not, run `npm run schema`", async (file, generate) => {
  await expect(generate()).toMatchFileSnapshot(`../../../${file}`);
});
