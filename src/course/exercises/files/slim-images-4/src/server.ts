// When an invoice is due: GET /?from=2026-03-01&days=30&code=8001
//   -> {"due": "2026-03-31", "late": "no", "edition": "first"}
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { DateTime } from "luxon";

const edition = "first";

// An enum is more than a type: Node cannot leave it out, it has to be compiled.
enum Late {
  No = "no",
  Yes = "yes",
}

const table = readFileSync(new URL("holidays.json", import.meta.url), "utf8");
const holidays: Record<string, string[]> = JSON.parse(table);

createServer((request, response) => {
  const asked = new URL(request.url ?? "/", "http://service").searchParams;
  const from = DateTime.fromISO(asked.get("from") ?? "", { zone: "utc" });
  const days = Number(asked.get("days"));
  const closed = holidays[asked.get("code") ?? ""] ?? [];
  let due = from.plus({ days });
  if (closed.includes(due.toISODate() ?? "")) due = due.plus({ days: 1 });
  const late = due < DateTime.utc() ? Late.Yes : Late.No;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ due: due.toISODate(), late, edition }));
}).listen(3000, () => console.log("invoice listens on 3000"));
