/** Lets a script `import "gwpm"` where it has none installed: it gets the copy that its supervisor runs from (SPEC §6). */

import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

import { mentionsGwpm } from "./mentions-gwpm.ts";

const NAME = "gwpm";
const OWN_URL = new URL("../index.js", import.meta.url).href;
const NOT_FOUND = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]);

/** The parts of `node:module` that this needs and the types of Node 20 do not know. */
type Resolve<Result> = (
  specifier: string,
  context: unknown,
  next: (specifier: string, context: unknown) => Result,
) => Result;
type RegisterHooks = (hooks: { resolve: Resolve<unknown> }) => unknown;

/**
 * To be called before the script is loaded. An installed copy always wins.
 *
 * @param script absolute path of the script
 */
export function resolveOwnCopy(script: string): void {
  const { registerHooks } = nodeModule as { registerHooks?: RegisterHooks };
  if (registerHooks !== undefined) {
    registerHooks({ resolve: resolveWithFallback });
    return;
  }
  // Node 20: hooks for ES modules run in a thread of their own, which takes some 40 ms to start: only where it is needed.
  if (isInstalledFor(script) || !mentionsGwpm(script)) return;
  nodeModule.register(new URL("./self-resolve-hooks.js", import.meta.url), {
    data: { name: NAME, url: OWN_URL },
  });
  patchCommonJs();
}

function resolveWithFallback(
  specifier: string,
  context: unknown,
  next: (specifier: string, context: unknown) => unknown,
): unknown {
  if (specifier !== NAME) return next(specifier, context);
  try {
    return next(specifier, context);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { url: OWN_URL, format: "module", shortCircuit: true };
  }
}

function isInstalledFor(script: string): boolean {
  try {
    nodeModule.createRequire(script).resolve(NAME);
    return true;
  } catch (error) {
    return !isNotFound(error);
  }
}

/** On Node 20 `require()` knows no hooks. */
function patchCommonJs(): void {
  const internals = nodeModule.Module as unknown as {
    _resolveFilename: (request: string, ...rest: unknown[]) => string;
  };
  const resolve = internals._resolveFilename;
  internals._resolveFilename = function (request, ...rest) {
    try {
      return resolve.call(this, request, ...rest);
    } catch (error) {
      if (request !== NAME || !isNotFound(error)) throw error;
      return fileURLToPath(OWN_URL);
    }
  };
}

function isNotFound(error: unknown): boolean {
  return NOT_FOUND.has(String((error as { code?: unknown } | null)?.code));
}
