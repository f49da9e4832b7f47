// Reads data/stops.txt, writes index.json: word -> the stops with that word.
import { readFileSync, writeFileSync } from "node:fs";

const words = {};
for (const stop of readFileSync("data/stops.txt", "utf8").split("\n").filter(Boolean)) {
  for (const word of stop.toLowerCase().split(" ")) (words[word] ??= []).push(stop);
}
writeFileSync("index.json", JSON.stringify({ made: Date.now(), words }));
console.log(`indexed ${Object.keys(words).length} words`);
