// Loads its maps for a while, then serves. GET /height?x=3&y=4 gives the height of a place from
// the maps. GET /health takes a third of a second when all is well, and answers 503 until then.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const loads = Number(process.env.LOADS_MS ?? 5500);
const began = Date.now();
let lost = 0; // so many more health requests get no answer

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://atlas");
  const loaded = Date.now() - began >= loads;
  if (request.method === "POST" && pathname === "/lose-one") lost = 1;
  if (request.method === "POST" && pathname === "/hang") lost = Infinity;
  if (pathname === "/health" && loaded) {
    if (lost > 0) return void (lost -= 1);
    await sleep(300);
  }
  if (pathname === "/height" && loaded) {
    const [x, y] = [searchParams.get("x"), searchParams.get("y")].map(Number);
    return response.end(`${(31 * x + 17 * y) % 4000} m\n`);
  }
  if (["/health", "/height"].includes(pathname) && !loaded) response.statusCode = 503;
  response.end(response.statusCode === 200 ? "ok\n" : "loading\n");
}).listen(3000, () => console.log("atlas listens on 3000"));
