// How the exercises' programs are linted. What is broken on purpose is excepted here, by its rule.
import { createRequire } from "node:module";

const orders = createRequire(new URL("../../../../apps/orders/package.json", import.meta.url));
const node = [
  ...["AbortSignal", "Buffer", "URL", "URLPattern", "console", "fetch", "process"],
  ...["setInterval", "setTimeout"],
];

export default [
  orders("@eslint/js").configs.recommended,
  { languageOptions: { globals: Object.fromEntries(node.map((name) => [name, "readonly"])) } },
];
