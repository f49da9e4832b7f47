// Reads assets/, writes public/*.br: compressed once here, not at each request.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

mkdirSync("public", { recursive: true });
for (const name of readdirSync("assets")) {
  const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  writeFileSync(`public/${name}.br`, brotliCompressSync(readFileSync(`assets/${name}`), options));
}
writeFileSync("public/made", String(Date.now()));
