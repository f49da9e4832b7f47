/** What the environment says, checked once at start. */

export interface Faults {
  /** Share of requests answered with 500, from 0 to 1. */
  errorRate: number;
  /** Added to every request, in milliseconds. */
  latencyMs: number;
  /** Memory taken and kept, in MB a second. */
  memoryMbPerSecond: number;
  /** Share of one core that is burnt, in percent. */
  cpuPercent: number;
}

export interface Config {
  port: number;
  version: string;
  databaseUrl: string;
  /** Whether it is ready only while its database answers. */
  readyNeedsDatabase: boolean;
  /** How long a stopping service waits for requests in flight, in milliseconds. */
  drainMs: number;
  faultsEnabled: boolean;
  faults: Faults;
  /** A slow start: for so long it listens and can serve nothing, in milliseconds. */
  faultStartMs: number;
  logLevel: string;
}

export class ConfigError extends Error {}

const FAULT_LIMITS: Record<keyof Faults, [min: number, max: number]> = {
  errorRate: [0, 1],
  latencyMs: [0, 60_000],
  memoryMbPerSecond: [0, 1_000],
  cpuPercent: [0, 100],
};

export const NO_FAULTS: Faults = { errorRate: 0, latencyMs: 0, memoryMbPerSecond: 0, cpuPercent: 0 };

/** Faults out of untrusted input; what is not named stays as it is. */
export function parseFaults(input: unknown, current: Faults): Faults {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new ConfigError("faults: want an object such as {\"errorRate\": 0.1}");
  }
  const next = { ...current };
  for (const [name, value] of Object.entries(input)) {
    if (!(name in FAULT_LIMITS)) {
      throw new ConfigError(`faults: no fault is called ${name}; known: ${Object.keys(FAULT_LIMITS).join(", ")}`);
    }
    const key = name as keyof Faults;
    const [min, max] = FAULT_LIMITS[key];
    if (typeof value !== "number" || !(value >= min && value <= max)) {
      throw new ConfigError(`faults: ${name} is ${JSON.stringify(value)}; want a number from ${min} to ${max}`);
    }
    next[key] = value;
  }
  return next;
}

export function parseConfig(env: NodeJS.ProcessEnv): Config {
  const number = (name: string, fallback: number, min: number, max: number): number => {
    const text = env[name];
    if (text === undefined || text === "") return fallback;
    const value = Number(text);
    if (!(value >= min && value <= max)) {
      throw new ConfigError(`${name} is ${JSON.stringify(text)}; want a number from ${min} to ${max}`);
    }
    return value;
  };
  const databaseUrl = env.DATABASE_URL ?? "";
  if (!/^postgres(ql)?:\/\//.test(databaseUrl)) {
    throw new ConfigError("DATABASE_URL is missing; want postgres://user:password@host:5432/name");
  }
  const given: Record<string, number> = {};
  for (const [name, variable] of [
    ["errorRate", "FAULT_ERROR_RATE"],
    ["latencyMs", "FAULT_LATENCY_MS"],
    ["memoryMbPerSecond", "FAULT_MEMORY_MB_PER_SECOND"],
    ["cpuPercent", "FAULT_CPU_PERCENT"],
  ] as const) {
    if (env[variable]) given[name] = Number(env[variable]);
  }
  return {
    port: number("PORT", 3000, 0, 65_535),
    version: env.ORDERS_VERSION || "dev",
    databaseUrl,
    readyNeedsDatabase: env.READY_NEEDS_DATABASE !== "false",
    drainMs: number("DRAIN_MS", 10_000, 0, 600_000),
    faultsEnabled: env.FAULTS_ENABLED === "true",
    faults: parseFaults(given, NO_FAULTS),
    faultStartMs: number("FAULT_START_MS", 0, 0, 600_000),
    logLevel: env.LOG_LEVEL || "info",
  };
}
