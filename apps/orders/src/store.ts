/** Orders in PostgreSQL. */

import pg from "pg";

export interface Item {
  sku: string;
  quantity: number;
  price_cents: number;
}

export interface NewOrder {
  customer: string;
  items: Item[];
}

export interface Order extends NewOrder {
  id: number;
  total_cents: number;
  created_at: string;
}

interface OrderRow {
  id: string;
  customer: string;
  total_cents: string;
  created_at: Date;
  items: Item[];
}

const SELECT = `
  SELECT o.id, o.customer, o.total_cents, o.created_at,
    (SELECT coalesce(json_agg(json_build_object('sku', i.sku, 'quantity', i.quantity,
       'price_cents', i.price_cents) ORDER BY i.position), '[]')
     FROM order_items i WHERE i.order_id = o.id) AS items
  FROM orders o`;

export class Store {
  readonly #pool: pg.Pool;

  constructor(databaseUrl: string) {
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max: 10, connectionTimeoutMillis: 2_000 });
    // An idle connection that breaks must not end the process; the next query says what is wrong.
    this.#pool.on("error", () => undefined);
  }

  async ping(): Promise<void> {
    await this.#pool.query("SELECT 1");
  }

  async create(order: NewOrder): Promise<Order> {
    const total = order.items.reduce((sum, item) => sum + item.quantity * item.price_cents, 0);
    const client = await this.#pool.connect();
    try {
      await client.query("BEGIN");
      const { rows } = await client.query<{ id: string }>(
        "INSERT INTO orders (customer, total_cents) VALUES ($1, $2) RETURNING id",
        [order.customer, total],
      );
      const id = rows[0]!.id;
      for (const [position, item] of order.items.entries()) {
        await client.query(
          "INSERT INTO order_items (order_id, position, sku, quantity, price_cents) VALUES ($1, $2, $3, $4, $5)",
          [id, position, item.sku, item.quantity, item.price_cents],
        );
      }
      const made = await client.query<OrderRow>(`${SELECT} WHERE o.id = $1`, [id]);
      await client.query("COMMIT");
      return fromRow(made.rows[0]!);
    } catch (error) {
      await client.query("ROLLBACK").catch(() => undefined);
      throw error;
    } finally {
      client.release();
    }
  }

  async get(id: number): Promise<Order | undefined> {
    const { rows } = await this.#pool.query<OrderRow>(`${SELECT} WHERE o.id = $1`, [id]);
    return rows[0] && fromRow(rows[0]);
  }

  async list(limit: number, after: number): Promise<Order[]> {
    const { rows } = await this.#pool.query<OrderRow>(`${SELECT} WHERE o.id > $1 ORDER BY o.id LIMIT $2`, [after, limit]);
    return rows.map(fromRow);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

function fromRow(row: OrderRow): Order {
  // PostgreSQL's bigint comes as text; ids and cents fit a double long after we are gone.
  return {
    id: Number(row.id),
    customer: row.customer,
    items: row.items,
    total_cents: Number(row.total_cents),
    created_at: row.created_at.toISOString(),
  };
}
