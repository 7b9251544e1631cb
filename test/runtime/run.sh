#!/usr/bin/env bash
# The built package on this Node, on the newer ones, and on other runtimes.
set -euo pipefail
cd "$(dirname "$0")/../.."
node test/runtime/smoke.mjs
for version in 22 24 26; do
  npx -y -p "node@$version" node test/runtime/smoke.mjs
done
npx -y bun@1.4.5 test/runtime/smoke.mjs
npx -y deno@2.9.6 run -A test/runtime/smoke.mjs

# workerd, by a package that is too large to be installed for everybody.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-save --prefix "$folder" miniflare@4.20260426.0
node test/runtime/workerd.mjs "$folder/node_modules/miniflare/dist/src/index.js"
