/** `gwpm request`: curl for gateway sockets. */

import { GatewayClient, GatewayError } from "../gateway/client.ts";
import { CliError } from "./failure.ts";
import { printAnswer, printAnswerJson } from "./request-answer.ts";
import { readRequest } from "./request-flags.ts";
import type { Verb } from "./verb.ts";

/** SPEC §3. */
const EXIT_TIMED_OUT = 124;

export const verb: Verb = {
  define(command) {
    const repeated = (value: string, known: string[] = []): string[] => [...known, value];
    command
      .description("Send one request to a FastCGI, SCGI or HTTP socket and print the response body.")
      .argument("<address>", "unix:/run/app.sock, 127.0.0.1:9000, [::1]:9000 or http://127.0.0.1:8080")
      .argument("<uri>", "the path and query, such as /hello?name=you")
      .option("-X, --method <method>", "GET, or POST where there is a body, unless told otherwise")
      .option("-d, --data <body>", "the request body; @FILE reads a file, - stdin")
      .option("-H, --header <line>", 'a request header, "Name: value"; repeatable', repeated)
      .option(
        "--param <name=value>",
        "a CGI variable, also one that would be set otherwise; repeatable",
        repeated,
      )
      .option("--protocol <protocol>", "fastcgi, scgi or http (default: fastcgi; http for http://…)")
      .option("-i, --include", "print the status line and the headers as well")
      .option("-f, --fail", "exit 1 when the status is 400 or above")
      .option("--timeout <duration>", "for the whole request, such as 10s (default: none)")
      .option("--json", "print one JSON document: status, headers, body, stderr, timings")
      .addHelpText("after", EXAMPLES);
  },

  async run([address = "", uri = ""], flags, io) {
    const { target, request } = await readRequest(address, uri, flags, io);
    const client = new GatewayClient(target);
    try {
      const json = flags.json === true;
      const onStderr = json ? undefined : (text: string) => void io.stderr.write(text);
      const response = await client.request({ ...request, onStderr });
      if (json) await printAnswerJson(response, io);
      else await printAnswer(response, { head: flags.include === true }, io);
      return flags.fail === true && response.status >= 400 ? 1 : 0;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const exitCode = error.code === "GWPM_TIMED_OUT" ? EXIT_TIMED_OUT : 1;
      throw new CliError(error.message, { exitCode, cause: error });
    } finally {
      client.close();
    }
  },
};

const EXAMPLES = `
Examples:
  gwpm request unix:/run/gwpm/web.sock /health
  gwpm request -i 127.0.0.1:9000 /orders -H 'Content-Type: application/json' -d @order.json
  gwpm request unix:/run/php/php-fpm.sock /info.php --param SCRIPT_FILENAME=/srv/www/info.php

Exit status: 0 for any answer (with -f: 1 from status 400 on), 1 when there is none, 2 usage, 124 timed out.`;
