# The issuer. Build from the root of the repository:
#   docker build -f examples/kubernetes/images/issuer.Dockerfile -t service-auth-issuer .
FROM node:22-bookworm-slim AS build
WORKDIR /source
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsup.config.ts tsconfig.json README.md CHANGELOG.md LICENSE ./
COPY src src
COPY adapters adapters
COPY docs docs
RUN npm run build && npm pack --ignore-scripts --pack-destination /tmp
# The versions that the lockfile tests; what PostgreSQL needs, and nothing else.
WORKDIR /app
RUN npm install --omit=dev --no-package-lock /tmp/service-auth-*.tgz pg@8.23.1 kysely@0.28.18

# No shell and no package manager; its user is 65532.
FROM gcr.io/distroless/nodejs22-debian12:nonroot
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules node_modules
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "/app/node_modules/service-auth/dist/cli.js"]
CMD ["--help"]
