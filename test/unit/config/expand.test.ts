// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files hold such strings
/** `${VAR}` and `${VAR:-default}`. */

import { describe, expect, test } from "vitest";
import { expand } from "../../../src/config/expand.ts";

const variables = { NAME: "web", EMPTY: "", NESTED: "${NAME}", _x1: "y" };

test.each([
  ["plain", "plain"],
  ["${NAME}", "web"],
  ["/run/${NAME}/${NAME}.sock", "/run/web/web.sock"],
  ["${_x1}", "y"],
  ["${EMPTY}", ""],
  ["${EMPTY:-d}", "d"],
  ["${UNSET:-d}", "d"],
  ["${UNSET:-}", ""],
  ["${UNSET:-a:-b c}", "a:-b c"],
  ["${NAME:-d}", "web"],
  ["$NAME", "$NAME"],
  ["$", "$"],
  ["$${NAME}", "${NAME}"],
  ["$$${NAME}", "$${NAME}"],
  ["${NESTED}", "${NAME}"],
])("%s → %s", (text, expanded) => {
  expect(expand(text, variables)).toBe(expanded);
});

describe("what cannot be expanded", () => {
  test.each([
    ["${UNSET}", "the environment variable UNSET is not set; set it, or write ${UNSET:-default}"],
    ["${toString}", "the environment variable toString is not set; set it, or write ${toString:-default}"],
    ["${", 'has a "${" that is neither ${NAME} nor ${NAME:-default}; write "$${" for a literal one'],
    ["${NAME", 'has a "${" that is neither ${NAME} nor ${NAME:-default}; write "$${" for a literal one'],
    ["${1X}", 'has a "${" that is neither ${NAME} nor ${NAME:-default}; write "$${" for a literal one'],
    ["${NAME-x}", 'has a "${" that is neither ${NAME} nor ${NAME:-default}; write "$${" for a literal one'],
  ])("%s", (text, message) => {
    expect(() => expand(text, variables)).toThrow(new RangeError(message));
  });
});
