/** What an experiment asks of the device it runs on. */
import type { CpuInfo } from '../engine/binding.js';
import type { Experiment } from './experiment.js';
import { UsageError } from './usageError.js';

/** Throws {@link UsageError} when the device cannot run the experiment as asked. */
export function requireDevice(experiment: Pick<Experiment, 'precision'>, cpu: CpuInfo): void {
  if (experiment.precision === 'bf16' && !cpu.bf16)
    throw new UsageError(
      `This processor (${cpu.model}) does not multiply bf16, so a bf16 run would say nothing about it: choose the precision fp32, or measure on a machine where "crossover devices" says bf16 yes.`,
    );
}
