/** Faults that can be switched on, so that learners meet them before their users do. */

import { setTimeout as sleep } from "node:timers/promises";

import type { Faults } from "./config.ts";

const TICK_MS = 100;

export class FaultInjector {
  #faults: Faults;
  #hoard: Buffer[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #random: () => number;

  constructor(faults: Faults, random: () => number = Math.random) {
    this.#faults = faults;
    this.#random = random;
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  get current(): Faults {
    return { ...this.#faults };
  }

  set(faults: Faults): void {
    this.#faults = faults;
    if (faults.memoryMbPerSecond === 0) this.#hoard = [];
  }

  /** Delay a request, and say whether it must fail. */
  async afflict(): Promise<boolean> {
    if (this.#faults.latencyMs > 0) await sleep(this.#faults.latencyMs);
    return this.#faults.errorRate > 0 && this.#random() < this.#faults.errorRate;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#hoard = [];
  }

  get hoardedMb(): number {
    return this.#hoard.reduce((sum, piece) => sum + piece.length, 0) / 1e6;
  }

  #tick(): void {
    const { memoryMbPerSecond, cpuPercent } = this.#faults;
    if (memoryMbPerSecond > 0) {
      // Filled, not only reserved: untouched pages would cost nothing.
      this.#hoard.push(Buffer.alloc((memoryMbPerSecond * 1e6 * TICK_MS) / 1000, 1));
    }
    if (cpuPercent > 0) {
      const until = performance.now() + (TICK_MS * cpuPercent) / 100;
      while (performance.now() < until);
    }
  }
}
