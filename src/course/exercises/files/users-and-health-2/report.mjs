// GET /report?n=5 works for a second, then gives the sum of 1 to n.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const currency = process.env.REPORT_CURRENCY;
if (!currency) throw new Error("REPORT_CURRENCY is not set");

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://service");
  if (pathname !== "/report") return response.end("report is up\n");
  response.write("working\n");
  await sleep(1000);
  const n = Number(searchParams.get("n"));
  response.end(`total ${(n * (n + 1)) / 2} ${currency}\n`);
});
server.listen(3000, () => console.log("report listens on 3000"));

// Once a minute it says that it lives.
setInterval(() => console.log("report lives"), 60_000);

// Ctrl-C, on a laptop.
process.on("SIGINT", () => {
  console.log("bye");
  process.exit(0);
});
