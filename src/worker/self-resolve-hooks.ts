/** The loader hooks of self-resolve.ts for Node 20, where they run in a thread of their own. */

interface Target {
  readonly name: string;
  readonly url: string;
}
type Next = (specifier: string, context: unknown) => Promise<unknown>;

let target: Target | undefined;

export function initialize(data: Target): void {
  target = data;
}

export async function resolve(specifier: string, context: unknown, next: Next): Promise<unknown> {
  if (specifier !== target?.name) return next(specifier, context);
  try {
    return await next(specifier, context);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    return { url: target.url, format: "module", shortCircuit: true };
  }
}
