// GET /?word=hill -> the stops with that word.   GET /first -> the first line of the timetable.
// GET /about -> when the parts of this image were made.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { brotliDecompressSync } from "node:zlib";

const index = JSON.parse(readFileSync("index.json", "utf8"));
const compressed = Number(readFileSync("public/made", "utf8"));
const timetable = brotliDecompressSync(readFileSync("public/timetable.txt.br")).toString();

createServer((request, response) => {
  const url = new URL(request.url, "http://service");
  const stops = index.words[url.searchParams.get("word")] ?? [];
  const about = { indexed: index.made, compressed };
  const first = { first: timetable.split("\n")[0] };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ "/about": about, "/first": first }[url.pathname] ?? { stops }));
}).listen(3000, () => console.log("site listens on 3000"));
