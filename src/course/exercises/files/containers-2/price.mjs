// A price in another currency: GET /?cents=1000 -> {"cents": 951, "currency": "CHF"}
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const rates = JSON.parse(readFileSync("data/rates.json", "utf8"));
const currency = process.env.PRICE_CURRENCY;
if (!currency) throw new Error("PRICE_CURRENCY is not set");

createServer((request, response) => {
  const cents = Number(new URL(request.url, "http://service").searchParams.get("cents"));
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ cents: Math.round(cents * rates[currency]), currency }));
}).listen(3000, () => console.log("price listens on 3000"));
