// Turns a title into a part of a web address: GET /?text=Hello World -> {"slug": "hello-world"}
import { createServer } from "node:http";

const separators = new RegExp(`[${RegExp.escape(" .,;:!?/_-")}]+`, "gu");

function slug(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(separators, "-")
    .replace(/^-|-$/g, "");
}

createServer((request, response) => {
  const text = new URL(request.url, "http://service").searchParams.get("text") ?? "";
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ slug: slug(text), node: process.version }));
}).listen(3000, () => console.log("slug listens on 3000"));
