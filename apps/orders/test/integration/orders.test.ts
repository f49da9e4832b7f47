import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import pg from "pg";

import { migrate } from "../../src/migrate.ts";
import type { Order } from "../../src/store.ts";

const { DATABASE_URL } = process.env;
if (!DATABASE_URL) throw new Error("set DATABASE_URL to a PostgreSQL server that these tests may create databases on");

// A database of its own, so that nothing that is there is touched.
const name = `orders_test_${randomUUID().replaceAll("-", "")}`;
const url = new URL(DATABASE_URL);
url.pathname = `/${name}`;

async function admin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: DATABASE_URL });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class Service {
  readonly base: string;
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;

  private constructor(port: number, env: Record<string, string>) {
    this.base = `http://127.0.0.1:${port}`;
    this.process = spawn(process.execPath, ["src/index.ts"], {
      env: { ...process.env, PORT: String(port), ORDERS_VERSION: "it", LOG_LEVEL: "error", DATABASE_URL: url.href, ...env },
      stdio: ["ignore", "inherit", "inherit"],
    });
    this.exited = new Promise((resolve) => this.process.once("exit", resolve));
  }

  static async start(env: Record<string, string> = {}): Promise<Service> {
    const service = new Service(await freePort(), env);
    for (const deadline = Date.now() + 10_000; ; ) {
      try {
        await fetch(`${service.base}/healthz`);
        return service;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await sleep(50);
      }
    }
  }

  get(path: string): Promise<Response> {
    return fetch(this.base + path);
  }

  send(method: string, path: string, body: unknown): Promise<Response> {
    return fetch(this.base + path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  }

  async stop(): Promise<number | null> {
    this.process.kill("SIGTERM");
    return this.exited;
  }
}

const ORDER = { customer: "grace", items: [{ sku: "tea", quantity: 2, price_cents: 350 }, { sku: "cup", quantity: 1, price_cents: 900 }] };

before(async () => {
  await admin(`CREATE DATABASE ${name}`);
});

after(async () => {
  await admin(`DROP DATABASE ${name} WITH (FORCE)`);
});

describe("migrations", () => {
  it("apply once, also when two start together", async () => {
    const counts = await Promise.all([migrate(url.href), migrate(url.href)]);
    assert.deepEqual(counts.sort(), [0, 1]);
    assert.equal(await migrate(url.href), 0);
  });
});

describe("the service on PostgreSQL", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ FAULTS_ENABLED: "true" });
  });
  after(async () => {
    await service.stop();
  });

  it("is ready", async () => {
    assert.equal((await service.get("/readyz")).status, 200);
  });

  it("keeps an order with its items and total", async () => {
    const made = await service.send("POST", "/orders", ORDER);
    assert.equal(made.status, 201);
    const order = (await made.json()) as Order;
    assert.equal(order.total_cents, 1600);
    const read = (await (await service.get(`/orders/${order.id}`)).json()) as Order;
    assert.deepEqual(read, order);
    assert.deepEqual(read.items, ORDER.items);
  });

  it("pages through orders", async () => {
    for (let i = 0; i < 4; i++) await service.send("POST", "/orders", { ...ORDER, customer: `page ${i}` });
    const seen: number[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const page = (await (await service.get(`/orders?limit=2&after=${after}`)).json()) as { orders: Order[]; next: number | null };
      seen.push(...page.orders.map((order) => order.id));
      after = page.next;
    }
    assert.ok(seen.length >= 4);
    assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b));
  });

  it("fails on command", async () => {
    await service.send("PUT", "/faults", { errorRate: 1 });
    assert.equal((await service.get("/orders")).status, 500);
    await service.send("PUT", "/faults", { errorRate: 0 });
    assert.equal((await service.get("/orders")).status, 200);
  });
});

describe("trouble", () => {
  it("is not ready without a database, and says so in words", async () => {
    const service = await Service.start({ DATABASE_URL: `postgres://nobody@127.0.0.1:${await freePort()}/none`, LOG_LEVEL: "silent" });
    const answer = await service.get("/readyz");
    assert.equal(answer.status, 503);
    assert.deepEqual(await answer.json(), { status: "no database" });
    assert.equal((await service.get("/healthz")).status, 200);
    await service.stop();
  });

  it("finishes a request in flight after SIGTERM, then exits 0", async () => {
    const service = await Service.start({ FAULT_LATENCY_MS: "600" });
    const slow = service.send("POST", "/orders", ORDER);
    await sleep(200);
    service.process.kill("SIGTERM");
    assert.equal((await slow).status, 201);
    assert.equal(await service.exited, 0);
  });

  it("gives up on a request that does not end within DRAIN_MS", async () => {
    const service = await Service.start({ FAULT_LATENCY_MS: "5000", DRAIN_MS: "300", LOG_LEVEL: "silent" });
    const slow = service.get("/orders").then(() => "answered", () => "cut off");
    await sleep(200);
    service.process.kill("SIGTERM");
    assert.equal(await service.exited, 1);
    assert.equal(await slow, "cut off");
  });
});
