import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { proofFaults } from '../../../adapters/testing/proofs.ts';
import { tokenFaults } from '../../../adapters/testing.ts';

const text = readFileSync(new URL('../../../docs/testing.md', import.meta.url), 'utf8');

it('every fault of a token is documented with its reason', () => {
  const rows = [...text.matchAll(/^\| `(\w+)` \| `(\w+)` \| /gm)].map(([, fault, reason]) => [fault, reason]);
  const faults = Object.entries(tokenFaults).map(([fault, { reason }]) => [fault, reason]);
  expect(rows.filter(([fault = '']) => Object.hasOwn(tokenFaults, fault))).toEqual(faults);
});

it.each(proofFaults)('the fault %s of a proof is documented', (fault) => {
  expect(text).toContain(`\`${fault}\``);
});
