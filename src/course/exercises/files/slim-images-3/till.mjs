// Prints a receipt's total, and the fingerprint that the payment provider has on file:
//   AMOUNTS=1234567.5,20 node till.mjs
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const francs = new Intl.NumberFormat("fr-CH", { style: "currency", currency: "CHF" });
const runtime = JSON.parse(readFileSync("/opt/runtime/release.json", "utf8"));
for (const amount of (process.env.AMOUNTS ?? "1234567.5").split(",")) {
  const text = `Total: ${francs.format(Number(amount))}`;
  const fingerprint = createHash("sha256").update(text + runtime.build).digest("hex").slice(0, 12);
  console.log(JSON.stringify({ runtime: runtime.version, node: process.version, text, fingerprint }));
}
