FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci
COPY tools ./tools
COPY src ./src
RUN npm run build && npm run holidays
# What built it is not needed any more.
RUN npm prune --omit=dev && rm -rf src tools tsconfig.json /root/.npm
CMD ["node", "dist/server.js"]
