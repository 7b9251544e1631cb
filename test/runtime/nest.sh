#!/usr/bin/env bash
# The Nest adapter on the older majors of Nest, each installed in a folder of its own: with the latest Express and
# Fastify that it takes itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for major in ${*:-10 11}; do
  export NEST_FOLDER="$folder/nest$major"
  mkdir "$NEST_FOLDER"
  npm install --silent --no-save --no-audit --no-fund --prefix "$NEST_FOLDER" \
    "@nestjs/common@$major" "@nestjs/core@$major" \
    "@nestjs/platform-express@$major" "@nestjs/platform-fastify@$major" reflect-metadata@0.2 rxjs@7
  node -p "'Nest ' + require('$NEST_FOLDER/node_modules/@nestjs/core/package.json').version"
  npx vitest run --config test/runtime/nest.config.ts
done
