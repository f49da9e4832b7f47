import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ConfigError, NO_FAULTS, parseConfig, parseFaults } from "../../src/config.ts";

const DATABASE_URL = "postgres://orders:secret@db:5432/orders";

describe("parseConfig", () => {
  it("needs only a database", () => {
    const config = parseConfig({ DATABASE_URL });
    assert.deepEqual(config, {
      port: 3000,
      version: "dev",
      databaseUrl: DATABASE_URL,
      readyNeedsDatabase: true,
      drainMs: 10_000,
      faultsEnabled: false,
      faults: NO_FAULTS,
      faultStartMs: 0,
      logLevel: "info",
    });
  });

  it("names a missing database", () => {
    assert.throws(() => parseConfig({}), /DATABASE_URL is missing/);
  });

  it("refuses an address that is not PostgreSQL's", () => {
    assert.throws(() => parseConfig({ DATABASE_URL: "mysql://db" }), ConfigError);
  });

  it("names a port out of range", () => {
    assert.throws(() => parseConfig({ DATABASE_URL, PORT: "70000" }), /PORT is "70000"; want a number from 0 to 65535/);
  });

  it("names a port that is no number", () => {
    assert.throws(() => parseConfig({ DATABASE_URL, PORT: "http" }), /PORT is "http"/);
  });

  it("takes faults from the environment", () => {
    const config = parseConfig({ DATABASE_URL, FAULT_ERROR_RATE: "0.25", FAULT_LATENCY_MS: "40" });
    assert.deepEqual(config.faults, { ...NO_FAULTS, errorRate: 0.25, latencyMs: 40 });
  });

  it("needs its database to be ready, unless told otherwise", () => {
    assert.equal(parseConfig({ DATABASE_URL, READY_NEEDS_DATABASE: "false" }).readyNeedsDatabase, false);
    assert.equal(parseConfig({ DATABASE_URL, READY_NEEDS_DATABASE: "" }).readyNeedsDatabase, true);
  });

  it("takes a slow start from the environment, and names one that is no number", () => {
    assert.equal(parseConfig({ DATABASE_URL, FAULT_START_MS: "2500" }).faultStartMs, 2500);
    assert.throws(() => parseConfig({ DATABASE_URL, FAULT_START_MS: "3s" }), /FAULT_START_MS is "3s"; want a number/);
  });

  it("enables faults by the word true alone", () => {
    assert.equal(parseConfig({ DATABASE_URL, FAULTS_ENABLED: "1" }).faultsEnabled, false);
    assert.equal(parseConfig({ DATABASE_URL, FAULTS_ENABLED: "true" }).faultsEnabled, true);
  });
});

describe("parseFaults", () => {
  it("keeps what is not named", () => {
    const before = { ...NO_FAULTS, latencyMs: 10 };
    assert.deepEqual(parseFaults({ errorRate: 0.5 }, before), { ...before, errorRate: 0.5 });
  });

  for (const [input, message] of [
    [{ errorRate: 2 }, /errorRate is 2; want a number from 0 to 1/],
    [{ errorRate: "0.5" }, /errorRate is "0.5"/],
    [{ speed: 1 }, /no fault is called speed/],
    [[], /want an object/],
    [null, /want an object/],
  ] as const) {
    it(`refuses ${JSON.stringify(input)}`, () => {
      assert.throws(() => parseFaults(input, NO_FAULTS), message);
    });
  }
});
