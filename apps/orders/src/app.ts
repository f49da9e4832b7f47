/** The HTTP side: routes, the version on everything, metrics, draining. */

import type { Socket } from "node:net";

import fastify, { LogController, type FastifyInstance } from "fastify";
import { collectDefaultMetrics, Counter, Histogram, Registry } from "prom-client";

import { ConfigError, parseFaults, type Config } from "./config.ts";
import { FaultInjector } from "./faults.ts";
import type { NewOrder, Order } from "./store.ts";

/** How long the first request of a new connection is waited for while draining. */
const FIRST_REQUEST_MS = 200;

/** What the routes need of a store; the real one is PostgreSQL. */
export interface Orders {
  ping(): Promise<void>;
  create(order: NewOrder): Promise<Order>;
  get(id: number): Promise<Order | undefined>;
  list(limit: number, after: number): Promise<Order[]>;
}

export interface App {
  server: FastifyInstance;
  /** From now on not ready: new traffic goes elsewhere, requests in flight end. */
  drain: () => void;
}

const ORDER_SCHEMA = {
  type: "object",
  required: ["customer", "items"],
  additionalProperties: false,
  properties: {
    customer: { type: "string", minLength: 1, maxLength: 200 },
    items: {
      type: "array",
      minItems: 1,
      maxItems: 100,
      items: {
        type: "object",
        required: ["sku", "quantity", "price_cents"],
        additionalProperties: false,
        properties: {
          sku: { type: "string", minLength: 1, maxLength: 100 },
          quantity: { type: "integer", minimum: 1, maximum: 10_000 },
          price_cents: { type: "integer", minimum: 0, maximum: 100_000_000 },
        },
      },
    },
  },
} as const;

const PROBES = new Set(["/healthz", "/readyz", "/metrics", "/faults"]);

export function createApp(config: Config, store: Orders, random: () => number = Math.random): App {
  const server = fastify({
    logger: { level: config.logLevel, base: { service: "orders", version: config.version } },
    // One line a request, our own, when it has been answered.
    logController: new LogController({ disableRequestLogging: true }),
    // What a client sends is taken as it is: "2" is not a quantity.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    // While draining: finish what has begun, and tell clients not to reuse the connection.
    return503OnClosing: false,
  });
  const faults = new FaultInjector(config.faults, random);
  const registry = new Registry();
  registry.setDefaultLabels({ version: config.version });
  collectDefaultMetrics({ register: registry });
  // Its own label `version`, of Node, would stand in the way of ours.
  registry.removeSingleMetric("nodejs_version_info");
  const requests = new Counter({
    name: "http_requests_total",
    help: "Requests answered",
    labelNames: ["method", "route", "status"],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time to answer a request",
    labelNames: ["method", "route"],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  });
  const servesFrom = performance.now() + config.faultStartMs;
  let draining = false;
  // A client may open a connection and then not need it, as Go's does. To Node it is not idle, since
  // its first request could be on the way: it would hold the process until DRAIN_MS is over.
  const unused = new Set<Socket>();
  server.server.on("connection", (socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  server.server.on("request", (request) => unused.delete(request.socket));

  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-orders-version", config.version);
    if (performance.now() < servesFrom && (request.url === "/readyz" || !PROBES.has(request.url))) {
      await reply.code(503).send({ error: "starting", message: "still starting: FAULT_START_MS" });
      return;
    }
    if (PROBES.has(request.url)) return;
    if (await faults.afflict()) {
      await reply.code(500).send({ error: "fault", message: "an injected error" });
    }
  });

  server.addHook("onSend", (_request, reply, _payload, done) => {
    // Also on requests that began before: a kept connection would hold the process.
    if (draining) reply.header("connection", "close");
    done();
  });

  server.addHook("onResponse", (request, reply, done) => {
    const route = request.routeOptions.url ?? "unknown";
    requests.inc({ method: request.method, route, status: reply.statusCode });
    seconds.observe({ method: request.method, route }, reply.elapsedTime / 1000);
    if (!PROBES.has(route)) {
      request.log.info({ method: request.method, url: request.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, "request");
    }
    done();
  });

  server.addHook("onClose", (_instance, done) => {
    faults.close();
    done();
  });

  server.setErrorHandler((error: Error & { statusCode?: number; validation?: unknown }, request, reply) => {
    if (error instanceof ConfigError || error.validation) {
      return reply.code(400).send({ error: "invalid", message: error.message });
    }
    if (error.statusCode && error.statusCode < 500) {
      return reply.code(error.statusCode).send({ error: "bad request", message: error.message });
    }
    request.log.error({ err: error }, "request failed");
    return reply.code(500).send({ error: "internal", message: "see the service's log" });
  });

  server.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: "not found", message: `nothing is at ${request.method} ${request.url}` }),
  );

  server.get("/", () => ({ service: "orders", version: config.version }));
  server.get("/healthz", () => ({ status: "ok" }));
  server.get("/readyz", async (request, reply) => {
    if (draining) return reply.code(503).send({ status: "draining" });
    if (!config.readyNeedsDatabase) return { status: "ready" };
    try {
      await store.ping();
      return { status: "ready" };
    } catch (error) {
      request.log.warn({ err: error }, "the database does not answer");
      return reply.code(503).send({ status: "no database" });
    }
  });
  server.get("/metrics", async (_request, reply) =>
    reply.header("content-type", registry.contentType).send(await registry.metrics()),
  );

  server.post<{ Body: NewOrder }>("/orders", { schema: { body: ORDER_SCHEMA } }, async (request, reply) =>
    reply.code(201).send(await store.create(request.body)),
  );
  server.get<{ Params: { id: string } }>("/orders/:id", async (request, reply) => {
    const order = await store.get(integer("id", request.params.id, 1));
    return order ?? reply.code(404).send({ error: "not found", message: `no order ${request.params.id}` });
  });
  server.get<{ Querystring: { limit?: string; after?: string } }>("/orders", async (request) => {
    const orders = await store.list(integer("limit", request.query.limit ?? "20", 1, 100), integer("after", request.query.after ?? "0", 0));
    return { orders, next: orders.at(-1)?.id ?? null };
  });

  server.get("/faults", () => ({ enabled: config.faultsEnabled, ...faults.current }));
  server.put("/faults", (request, reply) => {
    if (!config.faultsEnabled) {
      return reply.code(403).send({ error: "forbidden", message: "start the service with FAULTS_ENABLED=true" });
    }
    faults.set(parseFaults(request.body, faults.current));
    return faults.current;
  });

  return {
    server,
    drain: () => {
      draining = true;
      setTimeout(() => {
        for (const socket of unused) socket.destroy();
      }, FIRST_REQUEST_MS).unref();
    },
  };
}

function integer(name: string, text: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new ConfigError(`${name} is ${JSON.stringify(text)}; want a whole number from ${min}` + (max < Number.MAX_SAFE_INTEGER ? ` to ${max}` : ""));
  }
  return value;
}
