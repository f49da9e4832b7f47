// GET /pages/NAME -> that page.   GET / -> the pages that there are, and what serves them.
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import ms from "ms";

const began = Date.now();
const pages = new Map();
for (const file of readdirSync("dist")) {
  pages.set(file.replace(/\.html$/, ""), readFileSync(`dist/${file}`, "utf8"));
}
const asked = new URLPattern({ pathname: "/pages/:name" });

createServer((request, response) => {
  const name = asked.exec(request.url, "http://guide")?.pathname.groups.name;
  if (name !== undefined) {
    response.statusCode = pages.has(name) ? 200 : 404;
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(pages.get(name) ?? "no such page\n");
    return;
  }
  const up = ms(Date.now() - began, { long: true });
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ pages: [...pages.keys()], node: process.version, up }));
}).listen(8080, () => console.log("guide listens on 8080"));
