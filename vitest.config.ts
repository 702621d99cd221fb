import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      // One project after the other: they allow themselves different numbers of workers.
      {
        test: {
          name: "unit",
          sequence: { groupOrder: 0 },
          include: ["test/unit/**/*.test.ts"],
          // What fuzzes may take several seconds on a busy machine.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "process",
          sequence: { groupOrder: 1 },
          include: ["test/process/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: "frontends",
          sequence: { groupOrder: 2 },
          include: ["test/frontends/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
        },
      },
    ],
  },
});
