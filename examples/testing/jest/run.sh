#!/usr/bin/env bash
# Packs this package as it is, installs it beside jest in a folder of its own, and runs the tests there.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../../.." && pwd)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$root"
# Into a folder of its own: the build of the checkout may be in use.
npx tsup --silent --no-dts --out-dir "$folder/package/dist"
cp package.json "$folder/package"
packed="$(npm pack --silent --ignore-scripts --pack-destination "$folder" "$folder/package")"
mkdir "$folder/user"
cp "$here"/package.json "$here"/*.js "$folder/user"
cd "$folder/user"
npm install --no-audit --no-fund --prefer-offline --silent "../$packed"
npm test
