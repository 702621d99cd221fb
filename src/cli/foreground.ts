/** A supervisor in this very process: `gwpm run` and `gwpm start --foreground`. */

import type { EffectiveConfig } from "../config/types.ts";
import { gwpmVersion } from "../gateway/http/version.ts";
import type { Io } from "./verb.ts";

export async function superviseHere(
  config: EffectiveConfig,
  loadConfig: () => Promise<EffectiveConfig>,
  io: Io,
): Promise<number> {
  const { serve } = await import("../supervisor/serve.ts");
  await serve({
    config,
    loadConfig,
    version: gwpmVersion(),
    foreground: true,
    order: null,
    predecessor: null,
    terminal: io.isTty,
    startTimeoutMs: Number.POSITIVE_INFINITY,
    reports: {
      progress: () => {},
      failed: () => {},
      ready: (supervisor) => {
        const urls = supervisor.httpUrls();
        const lines = config.pools.map(({ name }) => {
          const listen = supervisor.pool(name).version.spec;
          return tell(name, listen, urls.get(name));
        });
        io.stdout.write(`${lines.join("\n")}\n`);
      },
    },
  });
  return 0;
}

/** `web is ready: http://127.0.0.1:8080 (2 workers, fastcgi)`. */
function tell(name: string, pool: EffectiveConfig["pools"][number], url: string | undefined): string {
  const { count } = pool.sizing;
  return `${name} is ready${url === undefined ? "" : `: ${url}`} (${count} ${count === 1 ? "worker" : "workers"}, ${pool.protocol})`;
}
