// Takes parcels at POST /parcels and hands each to the queue. GET /status says how it is.
import { createServer } from "node:http";

const queue = process.env.QUEUE_URL ?? "http://queue:7000";

async function handOver(method, body) {
  try {
    const signal = AbortSignal.timeout(1500);
    return (await fetch(queue, { method, body, signal })).ok;
  } catch {
    return false;
  }
}

createServer(async (request, response) => {
  console.log(request.method, request.url);
  if (request.method === "POST" && request.url === "/parcels") {
    let parcel = "";
    for await (const part of request) parcel += part;
    const taken = await handOver("POST", parcel);
    response.statusCode = taken ? 202 : 503;
    return response.end(taken ? "handed over\n" : "no queue\n");
  }
  if (request.url === "/status") {
    const reached = await handOver("GET");
    return response.end(JSON.stringify({ courier: "up", queue: reached ? "up" : "gone" }));
  }
  response.end("courier\n");
}).listen(3000, () => console.log("courier listens on 3000"));
