/** When a supervisor may end although its service goes on, and which unit it is in. */

import { expect, test } from "vitest";
import { type Standing, serviceOf, whyMustStay } from "../../../src/supervisor/service-manager.ts";

const free: Standing = { foreground: false, pid: 4242, unit: null, pidFile: "/run/gwpm/gwpm.pid" };
const unit = { name: "web.service", pidFile: "" };

test.each<[string, Partial<Standing>, RegExp | null]>([
  ["in the background", {}, null],
  ["in the foreground", { foreground: true }, /in the foreground.*`gwpm start` in the background/],
  ["as process 1", { pid: 1, foreground: true }, /process 1.*start a container of the new version/],
  ["as a unit's main process", { unit }, /main process of web\.service.*PIDFile=\/run\/gwpm\/gwpm\.pid/],
  ["where the unit has another pid file", { unit: { ...unit, pidFile: "/run/web.pid" } }, /PIDFile=/],
  ["where the unit follows our pid file", { unit: { ...unit, pidFile: free.pidFile } }, null],
])("%s", (_, standing, reason) => {
  const why = whyMustStay({ ...free, ...standing });
  if (reason === null) expect(why).toBeNull();
  else expect(why).toMatch(reason);
});

test.each([
  ["0::/system.slice/web.service\n", { name: "web.service", user: false }],
  [
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
    { name: "web.service", user: true },
  ],
  [
    "12:pids:/system.slice/web.service\n1:name=systemd:/system.slice/web.service\n",
    { name: "web.service", user: false },
  ],
  ["0::/user.slice/user-1000.slice/session-3.scope\n", null],
  ["0::/system.slice/docker-0123.scope\n", null],
  ["0::/\n", null],
  ["", null],
])("the service of %j", (cgroup, service) => {
  expect(serviceOf(cgroup)).toEqual(service);
});
