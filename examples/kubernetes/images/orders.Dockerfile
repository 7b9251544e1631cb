# The protected service. Build from the root of the repository:
#   docker build -f examples/kubernetes/images/orders.Dockerfile -t service-auth-orders .
FROM node:22-bookworm-slim AS build
WORKDIR /source
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY src src
COPY adapters adapters
COPY examples examples
# One file with all that it needs: no packages in the image.
RUN npx esbuild examples/kubernetes/services/orders.ts --bundle --tsconfig=tsconfig.json \
    --platform=node --format=esm --target=node22 --outfile=/app/orders.mjs

# No shell and no package manager; its user is 65532.
FROM gcr.io/distroless/nodejs22-debian12:nonroot
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/orders.mjs orders.mjs
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "/app/orders.mjs"]
