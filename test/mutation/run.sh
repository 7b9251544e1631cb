#!/usr/bin/env bash
# How many changes to the two cores the tests notice (Stryker): all of them, or a share of them taken at random.
#   npm run mutate             everything, for two hours
#   npm run mutate -- 0.1 7    a tenth of all lines, by the seed 7
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# In a copy of what is committed: the tools are for this alone, and too large to be installed for everybody.
git clone -q . "$folder/copy"
cd "$folder/copy"
npm ci --silent
npm install --silent --no-save @stryker-mutator/core@9.6.1 @stryker-mutator/vitest-runner@9.6.1
parts=()
if (($#)); then parts=(--mutate "$(node test/mutation/sample.mjs "$@")"); fi
npx stryker run test/mutation/stryker.config.json "${parts[@]}" || status=$?
cp mutation.json "$root/mutation.json" 2> /dev/null || true
exit "${status:-0}"
