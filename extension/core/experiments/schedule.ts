/** Learning rate: linear warm-up, then a cosine down to the minimum (Loshchilov and Hutter 2017). */
import type { TrainSpec } from './experiment.js';

/** Rate of step `step`, counted from 1. */
export function learningRateAt(
  step: number,
  spec: Pick<TrainSpec, 'steps' | 'learningRate' | 'minLearningRate' | 'warmupSteps'>,
): number {
  const {
    steps,
    learningRate,
    minLearningRate = learningRate / 10,
    warmupSteps = Math.ceil(steps / 20),
  } = spec;
  if (step <= warmupSteps) return (learningRate * step) / warmupSteps;
  const share = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  return minLearningRate + 0.5 * (1 + Math.cos(Math.PI * share)) * (learningRate - minLearningRate);
}
