// A shelf for files: PUT /files/NAME keeps a file in /var/lib/shelf, GET /files/NAME gives it back.
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

const shelf = "/var/lib/shelf";

createServer(async (request, response) => {
  // The hole: a NAME such as ..%2F..%2F..%2Fetc%2Fhostname leaves the shelf.
  const file = join(shelf, decodeURIComponent(request.url.replace("/files/", "")));
  try {
    if (request.method === "PUT") {
      const parts = [];
      for await (const part of request) parts.push(part);
      await writeFile(file, Buffer.concat(parts));
      response.statusCode = 201;
      response.end("kept\n");
    } else {
      response.end(await readFile(file));
    }
  } catch (error) {
    response.statusCode = error.code === "ENOENT" ? 404 : 500;
    response.end(`${error.message}\n`);
  }
}).listen(3000, () => console.log(`shelf listens on 3000 as uid ${process.getuid()}`));
