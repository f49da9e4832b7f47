/** Bring the database's schema up to date. Several may run at once: the first takes a lock. */

import { runner } from "node-pg-migrate";
import { fileURLToPath } from "node:url";

import { parseConfig } from "./config.ts";

export async function migrate(databaseUrl: string): Promise<number> {
  const done = await runner({
    databaseUrl,
    dir: fileURLToPath(new URL("../migrations", import.meta.url)),
    direction: "up",
    migrationsTable: "migrations",
    singleTransaction: true,
    // Wait for the one who holds the lock instead of failing beside it.
    advisoryLockMode: "wait",
    log: () => undefined,
  });
  return done.length;
}

if (import.meta.main) {
  migrate(parseConfig(process.env).databaseUrl).then(
    (count) => console.log(JSON.stringify({ level: 30, service: "orders", msg: `${count} migrations applied` })),
    (error: unknown) => {
      console.error(JSON.stringify({ level: 60, service: "orders", msg: `migration failed: ${String(error)}` }));
      process.exit(1);
    },
  );
}
