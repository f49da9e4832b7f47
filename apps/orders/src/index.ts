/** Start, and stop without dropping a request. */

import { createApp } from "./app.ts";
import { ConfigError, parseConfig } from "./config.ts";
import { Store } from "./store.ts";

async function main(): Promise<void> {
  const config = parseConfig(process.env);
  const store = new Store(config.databaseUrl);
  const app = createApp(config, store);
  const { server } = app;

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    server.log.info({ signal }, "draining");
    app.drain();
    // The last resort: requests that never end must not hold the process.
    setTimeout(() => {
      server.log.error("requests were still in flight after DRAIN_MS");
      process.exit(1);
    }, config.drainMs).unref();
    server
      .close()
      .then(() => store.close())
      .then(
        () => server.log.info("stopped"),
        (error: unknown) => {
          server.log.error({ err: error }, "could not stop cleanly");
          process.exit(1);
        },
      );
  };
  process.on("SIGTERM", () => stop("SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT"));

  await server.listen({ port: config.port, host: "0.0.0.0" });
}

main().catch((error: unknown) => {
  const message = error instanceof ConfigError ? error.message : String(error);
  console.error(JSON.stringify({ level: 60, service: "orders", msg: message }));
  process.exit(1);
});
