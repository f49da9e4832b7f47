// The queue: keeps whatever is posted to it. GET /taken lists that. DELETE / closes it for good.
import { createServer } from "node:http";

const taken = [];

const server = createServer(async (request, response) => {
  if (request.method === "POST") {
    let parcel = "";
    for await (const part of request) parcel += part;
    taken.push(parcel);
  }
  if (request.method === "DELETE") server.close();
  response.end(request.url === "/taken" ? JSON.stringify(taken) : "taken\n");
});
server.listen(7000);

// Its container and its name outlive it.
setInterval(() => {}, 60_000);
