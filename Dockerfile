# One image for every process of Logferry; the command says which: api, worker, migrate or doctor.
#   docker build --tag logferry . && docker run --env-file .env logferry api

# Without the optional packages too: those are Node itself, and native code that has a twin in JavaScript.
FROM node:24.21.0-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:24.21.0-slim
# scripts/check-health.mjs looks for a worker there.
ENV NODE_ENV=production HOST=0.0.0.0 WORKER_PORT=3001
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY core core
COPY prisma prisma
COPY api api
COPY worker worker
COPY doctor doctor
COPY scripts/run-command.sh scripts/node-flags.env scripts/check-health.mjs scripts/
# Nothing in the image belongs to this user, and nothing is written: the root file system may be read-only.
USER node
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "scripts/check-health.mjs"]
ENTRYPOINT ["/app/scripts/run-command.sh"]
CMD ["api"]
