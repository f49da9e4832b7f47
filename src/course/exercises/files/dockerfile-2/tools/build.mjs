// Reads pages/*.md, writes dist/*.html.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { marked } from "marked";

mkdirSync("dist", { recursive: true });
for (const file of readdirSync("pages")) {
  const name = file.replace(/\.md$/, "");
  writeFileSync(`dist/${name}.html`, marked.parse(readFileSync(`pages/${file}`, "utf8")));
}
