// When an invoice is due: GET /?from=2026-03-01&days=30 -> {"due": "2026-03-31", "late": "no"}
import { createServer } from "node:http";
import { workingDay } from "@due/calendar";
import { DateTime } from "luxon";

interface Answer {
  due: string | null;
  late: "yes" | "no";
}

createServer((request, response) => {
  const asked = new URL(request.url ?? "/", "http://service").searchParams;
  const from = DateTime.fromISO(asked.get("from") ?? "", { zone: "utc" });
  const due = workingDay(from.plus({ days: Number(asked.get("days")) }));
  const late = due < DateTime.utc() ? "yes" : "no";
  const answer: Answer = { due: due.toISODate(), late };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(answer));
}).listen(3000, () => console.log("due listens on 3000"));
