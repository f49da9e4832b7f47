// Greets in a language: GET /?lang=de&name=Ada -> {"text": "Guten Tag, Ada"}
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const known = /^[a-z0-9]+$/;

createServer((request, response) => {
  const asked = new URL(request.url, "http://service").searchParams;
  const lang = asked.get("lang") ?? "";
  response.setHeader("content-type", "application/json");
  try {
    if (!known.test(lang)) throw new Error("no such language");
    const { greeting } = JSON.parse(readFileSync(new URL(`lang/${lang}.json`, import.meta.url)));
    response.end(JSON.stringify({ text: `${greeting}, ${asked.get("name")}` }));
  } catch {
    response.statusCode = 404;
    response.end(JSON.stringify({ error: `no language ${lang}` }));
  }
}).listen(3000, () => console.log("welcome listens on 3000"));
