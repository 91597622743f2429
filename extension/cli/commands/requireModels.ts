import type { ModelSpec } from '../../core/experiments/experiment.js';
import { UsageError } from '../../core/experiments/usageError.js';

/** The models, of which a command needs at least one. */
export function requireModels(models: readonly ModelSpec[], command: string): readonly ModelSpec[] {
  if (models.length === 0)
    throw new UsageError(
      `crossover ${command} takes at least one MODEL; crossover models lists those that ship.`,
    );
  return models;
}
