import { describe, expect, test } from "vitest";
import { printable, printableWithColour } from "../../../src/cli/printable.ts";
import { progress } from "../../../src/cli/progress.ts";
import { captureIo } from "./captured-io.ts";

describe("progress", () => {
  test("is one line that is replaced and taken away", () => {
    const io = captureIo("/", 20);
    const line = progress(io);
    line.update("one");
    line.update("one");
    line.update("a line that is longer than the terminal is wide");
    line.done("result");
    expect(line.shown).toBe(true);
    expect(io.stderr.text).toBe("\r\u001b[2Kone\r\u001b[2Ka line that is lon…\r\u001b[2K");
    expect(io.stdout.text).toBe("result\n");
  });

  test("is silent where nobody looks, but for the result", () => {
    for (const io of [captureIo("/"), Object.assign(captureIo("/", 80), { env: { TERM: "dumb" } })]) {
      const line = progress(io);
      line.update("one");
      line.done("result");
      line.done();
      expect(line.shown).toBe(false);
      expect(io.stderr.text).toBe("");
      expect(io.stdout.text).toBe("result\n");
    }
  });

  test("takes nothing away that it has not shown", () => {
    const io = captureIo("/", 80);
    progress(io).done();
    expect(io.stderr.text + io.stdout.text).toBe("");
  });
});

describe("printable", () => {
  test.each([
    ["plain ünïcode 漢字 🦊", "plain ünïcode 漢字 🦊"],
    ["tab\tstays", "tab\tstays"],
    ["\u001b]0;title\u0007", "\\x1b]0;title\\x07"],
    ["a\r\nb", "a\\x0d\\x0ab"],
    ["\u009b2J\u007f", "\\x9b2J\\x7f"],
    ["\u001b[31mred", "\\x1b[31mred"],
  ])("%j", (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  test.each([
    ["\u001b[1;31mred\u001b[0m", "\u001b[1;31mred\u001b[0m\u001b[0m"],
    ["\u001b[2Jgone", "\\x1b[2Jgone"],
    ["\u001b[31", "\\x1b[31"],
    ["plain", "plain"],
  ])("with colours %j", (text, expected) => {
    expect(printableWithColour(text)).toBe(expected);
  });
});
