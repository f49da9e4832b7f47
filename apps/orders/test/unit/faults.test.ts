import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { NO_FAULTS } from "../../src/config.ts";
import { FaultInjector } from "../../src/faults.ts";

/** Wait for what a busy machine only delays; the caller asserts it after. */
async function eventually(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds() && performance.now() < deadline) await sleep(20);
}

it("memory grows while asked for and is given back", async () => {
  const faults = new FaultInjector({ ...NO_FAULTS, memoryMbPerSecond: 20 });
  try {
    await eventually(() => faults.hoardedMb >= 4);
    assert.ok(faults.hoardedMb >= 4, `only ${faults.hoardedMb} MB`);
    faults.set(NO_FAULTS);
    assert.equal(faults.hoardedMb, 0);
  } finally {
    faults.close();
  }
});

it("the processor is burnt while asked for", async () => {
  const before = process.cpuUsage();
  const burnt = () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  const faults = new FaultInjector({ ...NO_FAULTS, cpuPercent: 80 });
  try {
    await eventually(() => burnt() > 0.5);
    assert.ok(burnt() > 0.5, `only ${burnt()} s`);
  } finally {
    faults.close();
  }
});
