// Turns a title into a part of a web address: GET /?text=Hello World -> {"slug": "hello-world"}
// An option says what joins the words: node slug.mjs --joint=_        -> {"slug": "hello_world"}
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { latin } from "./letters/latin.mjs";

const { joint } = parseArgs({ options: { joint: { type: "string", default: "-" } } }).values;
const separators = new RegExp(`[${RegExp.escape(" .,;:!?/_-")}]+`, "gu");

function slug(text) {
  const plain = latin(text).normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.split(separators).filter(Boolean).join(joint);
}

createServer((request, response) => {
  const text = new URL(request.url, "http://service").searchParams.get("text") ?? "";
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ slug: slug(text), node: process.version }));
}).listen(3000, () => console.log("slug listens on 3000"));
