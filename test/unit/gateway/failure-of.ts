/** The error that a promise is expected to be rejected with. */

import { GatewayError } from "../../../src/gateway/client.ts";

/** @throws Error when it is fulfilled; whatever it is rejected with when that is not one of the gateway's own errors */
export async function failureOf(promise: Promise<unknown>): Promise<GatewayError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!("error" in outcome)) throw new Error(`Expected a failure, got ${JSON.stringify(outcome.value)}`);
  if (outcome.error instanceof GatewayError) return outcome.error;
  throw outcome.error;
}
