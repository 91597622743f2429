/** A share of the fuzzing; `npm run fuzz` runs a million inputs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.js';

test('20,000 mutated checkpoints are read or refused with a sentence', () => {
  const { accepted, refusals } = fuzz(20_251, 20_000);
  // Neither side may be empty: the inputs reach the readers' insides and are still wrong.
  assert.ok(accepted > 1000, `${accepted} accepted`);
  assert.ok(refusals.size > 40, [...refusals.keys()].join('\n'));
});
