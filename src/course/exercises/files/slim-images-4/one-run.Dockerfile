FROM node:24-slim
WORKDIR /app
COPY . .
# One step, one layer: it installs, builds and cleans up behind itself.
RUN npm ci && npm run build && npm run holidays && npm prune --omit=dev \
 && rm -rf src tools tsconfig.json /root/.npm /tmp/*
CMD ["node", "dist/server.js"]
