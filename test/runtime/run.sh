#!/usr/bin/env bash
# The built package on this Node and on the newer ones.
set -euo pipefail
cd "$(dirname "$0")/../.."
node test/runtime/smoke.mjs
for version in 22 24 26; do
  npx -y -p "node@$version" node test/runtime/smoke.mjs
done
npx -y bun@1.4.5 test/runtime/smoke.mjs
npx -y deno@2.9.6 run -A test/runtime/smoke.mjs
