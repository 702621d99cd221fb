/** The CPUs that a cgroup allows, from the files of both versions. */

import { expect, test } from "vitest";
import { allowedCpus } from "../../../src/config/cpus.ts";

function count(available: number, files: Record<string, string>): number {
  return allowedCpus(available, (path) => files[path]);
}

test.each<[string, number, number, Record<string, string>]>([
  ["no cgroup at all", 8, 8, {}],
  ["v2 without a quota", 8, 8, { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" }],
  ["v2 with a quota", 8, 2, { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "250000 100000\n" }],
  ["less than one CPU", 8, 1, { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "50000 100000\n" }],
  [
    "a tighter quota further up",
    8,
    3,
    {
      "/proc/self/cgroup": "0::/a/b\n",
      "/sys/fs/cgroup/a/b/cpu.max": "600000 100000",
      "/sys/fs/cgroup/a/cpu.max": "300000 100000",
    },
  ],
  [
    "a quota above the machine",
    2,
    2,
    { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "800000 100000" },
  ],
  [
    "v1 in a container, whose own group is the root",
    8,
    4,
    {
      "/proc/self/cgroup": "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "400000\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
  ],
  [
    "v1 without a quota",
    8,
    8,
    {
      "/proc/self/cgroup": "4:cpu:/\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
  ],
  ["nonsense", 8, 8, { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "?" }],
])("%s", (_what, available, expected, files) => {
  expect(count(available, files)).toBe(expected);
});

test("this machine has at least one", () => {
  expect(allowedCpus()).toBeGreaterThanOrEqual(1);
});
