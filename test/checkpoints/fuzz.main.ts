/** `npm run fuzz`: a million mutated checkpoints; `-- SEED INPUTS` for others. */
import { fuzz } from './fuzz.js';

const [seed = 1, inputs = 1_000_000] = process.argv.slice(2).map(Number);
/** Resident bytes that nothing here should come near: the largest input has about 10 KB. */
const MOST_BYTES = 768 * 2 ** 20;
Error.stackTraceLimit = 0;
const started = performance.now();
const { accepted, slowestMs, refusals } = fuzz(seed, inputs);
const seconds = (performance.now() - started) / 1000;
const bytes = process.resourceUsage().maxRSS * 1024;
process.stdout.write(
  `${inputs} inputs from seed ${seed} in ${seconds.toFixed(0)} s: ${accepted} read, ${inputs - accepted} refused with ${refusals.size} different ` +
    `sentences; slowest ${slowestMs.toFixed(0)} ms; at most ${(bytes / 2 ** 20).toFixed(0)} MiB resident.\n`,
);
if (bytes > MOST_BYTES) {
  process.stderr.write('That is more memory than files of this size may take.\n');
  process.exitCode = 1;
}
