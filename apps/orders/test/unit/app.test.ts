import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type AddressInfo } from "node:net";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { createApp, type App, type Orders } from "../../src/app.ts";
import { NO_FAULTS, parseConfig, type Config } from "../../src/config.ts";
import type { NewOrder, Order } from "../../src/store.ts";

class MemoryOrders implements Orders {
  readonly orders: Order[] = [];
  alive = true;

  ping(): Promise<void> {
    return this.alive ? Promise.resolve() : Promise.reject(new Error("connection refused"));
  }
  create(order: NewOrder): Promise<Order> {
    const made = { ...order, id: this.orders.length + 1, total_cents: 0, created_at: "2026-01-01T00:00:00.000Z" };
    this.orders.push(made);
    return Promise.resolve(made);
  }
  get(id: number): Promise<Order | undefined> {
    return Promise.resolve(this.orders.find((order) => order.id === id));
  }
  list(limit: number, after: number): Promise<Order[]> {
    return Promise.resolve(this.orders.filter((order) => order.id > after).slice(0, limit));
  }
}

const ORDER = { customer: "ada", items: [{ sku: "tea", quantity: 2, price_cents: 350 }] };

let app: App | undefined;

function start(changes: Partial<Config> = {}, store = new MemoryOrders()): App {
  const config = parseConfig({ DATABASE_URL: "postgres://unused", ORDERS_VERSION: "7.8.9", LOG_LEVEL: "silent" });
  app = createApp({ ...config, ...changes }, store, () => 0.5);
  return app;
}

afterEach(async () => {
  await app?.server.close();
  app = undefined;
});

describe("every answer", () => {
  for (const url of ["/", "/healthz", "/orders", "/orders/999", "/nowhere"]) {
    it(`carries the version: ${url}`, async () => {
      const answer = await start().server.inject(url);
      assert.equal(answer.headers["x-orders-version"], "7.8.9");
    });
  }
});

describe("orders", () => {
  it("creates and returns one", async () => {
    const { server } = start();
    const made = await server.inject({ method: "POST", url: "/orders", payload: ORDER });
    assert.equal(made.statusCode, 201);
    const read = await server.inject("/orders/1");
    assert.equal(read.json<Order>().customer, "ada");
  });

  for (const [what, payload] of [
    ["no items", { ...ORDER, items: [] }],
    ["a quantity as text", { customer: "ada", items: [{ sku: "tea", quantity: "2", price_cents: 1 }] }],
    ["a negative price", { customer: "ada", items: [{ sku: "tea", quantity: 1, price_cents: -1 }] }],
    ["an unknown field", { ...ORDER, admin: true }],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const answer = await start().server.inject({ method: "POST", url: "/orders", payload });
      assert.equal(answer.statusCode, 400);
      assert.equal(answer.json<{ error: string }>().error, "invalid");
    });
  }

  it("names a limit that is none", async () => {
    const answer = await start().server.inject("/orders?limit=500");
    assert.equal(answer.statusCode, 400);
    assert.match(answer.json<{ message: string }>().message, /limit is "500"; want a whole number from 1 to 100/);
  });
});

describe("readiness", () => {
  it("follows the database, liveness does not", async () => {
    const store = new MemoryOrders();
    const { server } = start({}, store);
    assert.equal((await server.inject("/readyz")).statusCode, 200);
    store.alive = false;
    assert.equal((await server.inject("/readyz")).statusCode, 503);
    assert.equal((await server.inject("/healthz")).statusCode, 200);
  });

  it("does without the database where that is asked for, and still ends with draining", async () => {
    const store = new MemoryOrders();
    store.alive = false;
    const { server, drain } = start({ readyNeedsDatabase: false }, store);
    assert.equal((await server.inject("/readyz")).statusCode, 200);
    drain();
    assert.equal((await server.inject("/readyz")).statusCode, 503);
  });

  it("is not there during a slow start, while the process is healthy", async () => {
    const { server } = start({ faultStartMs: 600_000 });
    for (const url of ["/readyz", "/", "/orders"]) {
      const answer = await server.inject(url);
      assert.equal(answer.statusCode, 503, url);
      assert.equal(answer.json<{ error: string }>().error, "starting");
      assert.equal(answer.headers["x-orders-version"], "7.8.9");
    }
    assert.equal((await server.inject("/healthz")).statusCode, 200);
  });

  it("begins when a slow start is over", async () => {
    const { server } = start({ faultStartMs: 20 });
    await sleep(60);
    for (const url of ["/readyz", "/", "/orders"]) assert.equal((await server.inject(url)).statusCode, 200, url);
  });

  it("ends with draining, and connections are not reused", async () => {
    const { server, drain } = start();
    drain();
    const answer = await server.inject("/readyz");
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.json<{ status: string }>().status, "draining");
    assert.equal(answer.headers.connection, "close");
    assert.equal((await server.inject("/orders")).statusCode, 200);
  });
});

describe("draining", () => {
  it("does not wait for a connection that was never used", { timeout: 5_000 }, async () => {
    const { server, drain } = start();
    await server.listen({ port: 0, host: "127.0.0.1" });
    const { port } = server.server.address() as AddressInfo;
    const unused = connect(port, "127.0.0.1");
    const closed = new Promise((resolve) => unused.once("close", resolve));
    unused.resume();
    await new Promise((resolve) => server.server.once("connection", resolve));
    drain();
    await Promise.all([server.close(), closed]);
  });

  it("answers the first request of a connection that was just opened", async () => {
    const { server, drain } = start();
    await server.listen({ port: 0, host: "127.0.0.1" });
    const { port } = server.server.address() as AddressInfo;
    const late = connect(port, "127.0.0.1");
    await new Promise((resolve) => server.server.once("connection", resolve));
    drain();
    const ended = server.close();
    late.write("GET /healthz HTTP/1.1\r\nHost: orders\r\n\r\n");
    const [head] = (await once(late, "data")) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1.1 200 OK/);
    await ended;
  });
});

describe("metrics", () => {
  it("put the version on every sample", async () => {
    const { server } = start();
    await server.inject("/orders");
    const { body } = await server.inject("/metrics");
    const samples = body.split("\n").filter((line) => line && !line.startsWith("#"));
    assert.ok(samples.length > 20);
    assert.deepEqual(samples.filter((line) => !line.includes('version="7.8.9"')), []);
    assert.match(body, /http_requests_total\{method="GET",route="\/orders",status="200",version="7\.8\.9"\} 1/);
  });
});

describe("faults", () => {
  it("cannot be switched on unless enabled", async () => {
    const answer = await start().server.inject({ method: "PUT", url: "/faults", payload: { errorRate: 1 } });
    assert.equal(answer.statusCode, 403);
  });

  it("fail the share that is asked for, and never a probe", async () => {
    const { server } = start({ faultsEnabled: true });
    await server.inject({ method: "PUT", url: "/faults", payload: { errorRate: 0.6 } });
    assert.equal((await server.inject("/orders")).statusCode, 500); // the dice say 0.5
    assert.equal((await server.inject("/healthz")).statusCode, 200);
    await server.inject({ method: "PUT", url: "/faults", payload: { errorRate: 0.4 } });
    assert.equal((await server.inject("/orders")).statusCode, 200);
  });

  it("slow a request down", async () => {
    const { server } = start({ faults: { ...NO_FAULTS, latencyMs: 60 } });
    const began = performance.now();
    await server.inject("/orders");
    assert.ok(performance.now() - began >= 55);
  });

  it("name what is wrong with them", async () => {
    const { server } = start({ faultsEnabled: true });
    const answer = await server.inject({ method: "PUT", url: "/faults", payload: { latencyMs: -1 } });
    assert.equal(answer.statusCode, 400);
    assert.match(answer.json<{ message: string }>().message, /latencyMs is -1/);
  });
});
