import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { NO_FAULTS } from "../../src/config.ts";
import { FaultInjector } from "../../src/faults.ts";

it("memory grows while asked for and is given back", async () => {
  const faults = new FaultInjector({ ...NO_FAULTS, memoryMbPerSecond: 20 });
  const keepAlive = setInterval(() => undefined, 10);
  try {
    await sleep(450);
    assert.ok(faults.hoardedMb >= 4, `only ${faults.hoardedMb} MB`);
    faults.set(NO_FAULTS);
    assert.equal(faults.hoardedMb, 0);
  } finally {
    clearInterval(keepAlive);
    faults.close();
  }
});

it("the processor is burnt for the share that is asked for", async () => {
  const before = process.cpuUsage();
  const faults = new FaultInjector({ ...NO_FAULTS, cpuPercent: 80 });
  const keepAlive = setInterval(() => undefined, 10);
  await sleep(1000);
  clearInterval(keepAlive);
  faults.close();
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1e6 > 0.3, `only ${(user + system) / 1e6} s`);
});
