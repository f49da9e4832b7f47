// Writes dist/holidays.json: each of 10,000 post codes has one holiday of its own a year.
import { mkdirSync, writeFileSync } from "node:fs";

const holidays = {};
for (let code = 0; code < 10_000; code += 1) {
  holidays[String(code).padStart(4, "0")] = Array.from({ length: 30 }, (_, n) => {
    const day = new Date(Date.UTC(2020 + n, 0, 1 + ((code * 37 + n * 11) % 360)));
    return day.toISOString().slice(0, 10);
  });
}
mkdirSync("dist", { recursive: true });
writeFileSync("dist/holidays.json", JSON.stringify(holidays));
