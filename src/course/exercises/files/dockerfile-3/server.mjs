// GET / -> a greeting, which versions are in this image, and which user its packages belong to.
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import ms from "ms";
import colors from "picocolors";

const began = Date.now();
const read = (file) => JSON.parse(readFileSync(file, "utf8")).version;
const require = createRequire(import.meta.url);
const about = {
  greet: read(new URL("./package.json", import.meta.url)),
  ms: read(require.resolve("ms/package.json")),
  picocolors: read(require.resolve("picocolors/package.json")),
  owner: statSync(require.resolve("ms")).uid,
};

createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ greeting: "Hello", up: ms(Date.now() - began), ...about }));
}).listen(3000, () => console.log(colors.green("greet listens on 3000")));
