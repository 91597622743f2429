/** Associative recall, trained in place: how well a model of this architecture learns to look up what it was told. */
import type { EvalScore } from '../../shared/report.js';
import { LoadedModel } from '../engine/model.js';
import type { Prepared } from '../engine/prepare.js';
import type { MqarSpec } from '../experiments/experiment.js';
import type { Lab } from '../experiments/lab.js';
import { stepFlops } from '../experiments/bench.js';
import { learningRateAt } from '../experiments/schedule.js';
import { wilson } from '../stats/estimate.js';
import { mqarChance, MqarSource } from './mqar.js';

/** Fresh examples that are tested. */
const TEST_EXAMPLES = 512;
/** Test examples come from a seed of their own, far from those of training. */
const TEST_SEED = 1_000_003;

const testBatches = (spec: MqarSpec): number => Math.max(1, Math.ceil(TEST_EXAMPLES / spec.batch));

/** FLOPs of one seed of one model, for the estimate of time. */
export function recallFlops(prepared: Prepared, spec: MqarSpec): number {
  const forward = prepared.programs.get('forward')?.flops.forward ?? 0;
  return spec.steps * stepFlops(prepared) + testBatches(spec) * forward;
}

/** Trains on one seed and scores fresh examples. */
export async function scoreRecall(
  lab: Lab,
  prepared: Prepared,
  spec: MqarSpec,
  seed: number,
): Promise<EvalScore> {
  const { label } = prepared.model;
  const ignore = prepared.ignoreIndex;
  if (ignore === null)
    throw new Error(
      `${label} cannot be scored on recall: its loss is not a cross-entropy, so unscored places cannot be left out.`,
    );
  const model = await LoadedModel.load(lab.session, prepared, seed);
  try {
    const examples = new MqarSource(spec, spec.batch, seed, ignore);
    for (let step = 1; step <= spec.steps; step++) {
      const hyper = { learningRate: learningRateAt(step, spec), step, clip: 1 };
      const { loss } = await model.step(examples.next(), hyper, lab.signal);
      if (!Number.isFinite(loss))
        throw new Error(`${label} diverged on recall at step ${step}: lower the learning rate.`);
      lab.progress.advance(
        stepFlops(prepared),
        `Recall, ${label}, seed ${seed}: step ${step} of ${spec.steps}`,
      );
    }
    const { correct, asked } = await test(lab, model, spec, seed, ignore);
    return {
      model: label,
      task: `recall, ${spec.pairs} pairs in ${spec.context} tokens`,
      seed,
      score: correct / asked,
      metric: 'accuracy',
      higherIsBetter: true,
      chance: mqarChance(spec),
      interval: wilson(correct, asked),
      items: asked,
      tokens: spec.steps * spec.batch * spec.context,
    };
  } finally {
    model.dispose();
  }
}

async function test(
  lab: Lab,
  model: LoadedModel,
  spec: MqarSpec,
  seed: number,
  ignore: number,
): Promise<{ correct: number; asked: number }> {
  const examples = new MqarSource(spec, spec.batch, seed + TEST_SEED, ignore);
  const flops = model.prepared.programs.get('forward')?.flops.forward ?? 0;
  let correct = 0;
  let asked = 0;
  for (let i = 0; i < testBatches(spec); i++) {
    const batch = examples.next();
    const { logits } = await model.forward(batch, lab.signal);
    if (logits === null)
      throw new Error(`${model.prepared.model.label} returns no logits, so its answers cannot be read.`);
    const width = logits.length / (spec.batch * spec.context);
    for (const { place, answer } of batch.scored) {
      asked += 1;
      if (largest(logits.subarray(place * width, (place + 1) * width)) === answer) correct += 1;
    }
    lab.progress.advance(flops, `Recall, testing ${model.prepared.model.label}`);
  }
  return { correct, asked };
}

/** Index of the largest value; -1 when there is none, as among NaNs. */
function largest(values: Float32Array): number {
  let best = -1;
  let value = -Infinity;
  values.forEach((candidate, index) => {
    if (candidate > value) [best, value] = [index, candidate];
  });
  return best;
}
