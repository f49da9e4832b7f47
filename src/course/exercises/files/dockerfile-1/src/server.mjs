// GET /?word=hill -> the stops with that word.   GET /about -> how old the parts of this image are.
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import ms from "ms";
import { edition } from "./edition.mjs";

const index = JSON.parse(readFileSync(new URL("../index.json", import.meta.url), "utf8"));
const installed = statSync(createRequire(import.meta.url).resolve("ms")).mtimeMs;

createServer((request, response) => {
  const url = new URL(request.url, "http://service");
  response.setHeader("content-type", "application/json");
  if (url.pathname === "/about") {
    const age = ms(Date.now() - index.made, { long: true });
    response.end(JSON.stringify({ edition, installed, indexed: index.made, age }));
    return;
  }
  response.end(JSON.stringify({ stops: index.words[url.searchParams.get("word")] ?? [] }));
}).listen(3000, () => console.log("stops listens on 3000"));
