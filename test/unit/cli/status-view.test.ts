import { describe, expect, test } from "vitest";
import { coloured } from "../../../src/cli/colour.ts";
import { renderStatus } from "../../../src/cli/status-view.ts";
import { poolOf, statusOf } from "../control/fake-target.ts";

const NOW = Date.UTC(2026, 0, 31, 8);
const wide = { width: Number.POSITIVE_INFINITY, now: NOW };

const degraded = poolOf("api", {
  state: "degraded",
  reason: "worker 0 exited with code 1 before it was ready, 5 times within 1 m",
  nextTryAt: new Date(NOW + 12_000).toISOString(),
  http: "http://127.0.0.1:8080",
  lastReload: { generation: 7, result: "rolled-back", reason: "no such table", at: "2026-01-31T07:00:00Z" },
  probe: { ok: false, lastAt: null, lastError: "status 500" },
});

describe("renderStatus", () => {
  test("shows everything where there is room", () => {
    expect(renderStatus(statusOf([poolOf("web")]), wide)).toEqual([
      "gwpm 0.1.0 running  pid 4194305  up 1 h  54 MB  0.3 % CPU  /srv/app/ecosystem.json",
      "",
      "POOL  STATE  READY  BUSY  REQ/S  REQUESTS  FAILED    P95  QUEUE  RESTARTS  GEN  PROTOCOL  LISTEN",
      "web   ok       2/2     1     12   123,456       0  20 ms      0         1    1  fastcgi   unix:/run/gwpm/web.sock",
      "",
      "WORKER   PID  STATE         UP  REQUESTS  ACTIVE  MEMORY  CPU%  LOOP%  GEN  DOING",
      "web:0   1000  busy   58 m 20 s    61,728       1   80 MB   4.2     12    1  GET /slow?page=1 1.2 s",
      "web:1   1001  ready  58 m 20 s    61,728       0   80 MB   4.2     12    1",
    ]);
  });

  test.each([24, 30, 40, 60, 80, 100, 120])("fits into %i columns and keeps what matters", (width) => {
    const lines = renderStatus(statusOf([poolOf("web"), degraded]), { width, now: NOW });
    const tables = lines.filter(
      (line) => /^(gwpm|POOL|WORKER|web|api {2}|api:)/.test(line) && !line.includes("the "),
    );
    for (const line of tables) expect(line.length).toBeLessThanOrEqual(width);
    const text = lines.join("\n");
    expect(text).toMatch(/^POOL +STATE +READY/m);
    expect(text).toMatch(/^WORKER.* STATE/m);
  });

  test("drops the least important first", () => {
    const header = (width: number) => renderStatus(statusOf([poolOf("web")]), { width, now: NOW })[2];
    expect(header(70)).toBe("POOL  STATE  READY  BUSY  REQ/S  REQUESTS  FAILED  QUEUE  RESTARTS");
    expect(header(30)).toBe("POOL  STATE  READY  REQ/S");
  });

  test("a pool in trouble says why, and when the next try is", () => {
    expect(renderStatus(statusOf([degraded]), wide).slice(5, 8)).toEqual([
      "api is degraded: worker 0 exited with code 1 before it was ready, 5 times within 1 m; next try in 12 s",
      "api: the last reload, to generation 7, was rolled back: no such table",
      "api: the probe fails: status 500",
    ]);
    const late = { ...wide, now: NOW + 60_000 };
    expect(renderStatus(statusOf([degraded]), late).join("\n")).toContain("; next try now");
  });

  test("what is not known is a dash, and how a stopped worker ended is told", () => {
    const [, second] = poolOf("web").processes;
    const down = {
      ...second!,
      pid: null,
      state: "backoff" as const,
      uptimeMs: null,
      requests: null,
      rssBytes: null,
      cpuPercent: null,
      eventLoopUtilization: null,
      active: null,
    };
    const lines = renderStatus(statusOf([poolOf("web", { processes: [down] })]), wide);
    expect(lines.at(-1)).toMatch(/^web:1 +- +backoff +- +- +- +- +- +- +1 {2}crashed$/);
  });

  test("what clients sent cannot steer the terminal", () => {
    const [first] = poolOf("web").processes;
    const current = [
      { method: "GET", uri: "/\u001b[2J", elapsedMs: 3 },
      { method: "GET", uri: "/", elapsedMs: 3 },
    ];
    const text = renderStatus(statusOf([poolOf("web", { processes: [{ ...first!, current }] })]), wide).join(
      "\n",
    );
    expect(text).toContain("GET /\\x1b[2J 3 ms and 1 more");
  });

  test("colours change nothing but the colours", () => {
    const document = statusOf([poolOf("web"), degraded]);
    const paint = renderStatus(document, { ...wide, paint: coloured }).map((line) =>
      line.replaceAll(/\u001b\[\d+m/g, ""),
    );
    expect(paint).toEqual(renderStatus(document, wide));
  });

  test("a supervisor without pools", () => {
    expect(renderStatus(statusOf([]), wide).slice(1)).toEqual(["", "no pools"]);
  });
});
