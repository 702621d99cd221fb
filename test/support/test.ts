/** Vitest's `test` with a {@link Sandbox} for each test, and one for a whole file where starting is dear. */

import { afterAll, afterEach, test as base } from "vitest";
import { Sandbox } from "./sandbox.ts";

export { describe, expect } from "vitest";

/** `test("…", async ({ sandbox }) => { … })`: the sandbox is accounted for when the test ends. */
export const test = base.extend<{ sandbox: Sandbox }>({
  sandbox: async ({ task }, use) => {
    const sandbox = new Sandbox();
    await use(sandbox);
    await sandbox.close({ failed: task.result?.state === "fail" });
  },
});

/** One sandbox for all tests of a file or `describe`; call it there, at the top level. */
export function sharedSandbox(): Sandbox {
  const sandbox = new Sandbox();
  let failed = false;
  afterEach(({ task }) => {
    failed ||= task.result?.state === "fail";
  });
  afterAll(() => sandbox.close({ failed }));
  return sandbox;
}
