/** Associative recall, trained in place: how well a model of this architecture learns to look up what it was told. */
import type { EvalScore } from '../../shared/report.js';
import { LoadedModel } from '../engine/model.js';
import type { Prepared } from '../engine/prepare.js';
import type { MqarSpec } from '../experiments/experiment.js';
import type { Lab } from '../experiments/lab.js';
import { stepFlops } from '../experiments/bench.js';
import { learningRateAt } from '../experiments/schedule.js';
import { wilson } from '../stats/estimate.js';
import { mqarChance, MqarSource, type MqarQuery } from './mqar.js';

/** Fresh examples that are tested. */
const TEST_EXAMPLES = 512;
/** Test examples come from a seed of their own, far from those of training. */
const TEST_SEED = 1_000_003;
/** Queries whose answers are kept one by one. */
const MOST_LISTED = 512;

const testBatches = (spec: MqarSpec): number => Math.max(1, Math.ceil(TEST_EXAMPLES / spec.batch));

/** FLOPs of one seed of one model, for the estimate of time. */
export function recallFlops(prepared: Prepared, spec: MqarSpec): number {
  const forward = prepared.programs.get('forward')?.flops.forward ?? 0;
  return spec.steps * stepFlops(prepared) + testedSteps(spec).length * testBatches(spec) * forward;
}

/** Trains on one seed, and scores the same fresh examples after each quarter of the steps. */
export async function scoreRecall(lab: Lab, prepared: Prepared, spec: MqarSpec, seed: number): Promise<void> {
  const { label } = prepared.model;
  const ignore = prepared.ignoreIndex;
  if (ignore === null)
    throw new Error(
      `${label} cannot be scored on recall: its loss is not a cross-entropy, so unscored places cannot be left out.`,
    );
  const model = await LoadedModel.load(lab.session, prepared, seed);
  try {
    const examples = new MqarSource(spec, spec.batch, seed, ignore);
    const tests = testedSteps(spec);
    for (let step = 1; step <= spec.steps; step++) {
      const hyper = { learningRate: learningRateAt(step, spec), step, clip: 1 };
      const { loss } = await model.step(examples.next(), hyper, lab.signal);
      if (!Number.isFinite(loss))
        throw new Error(`${label} diverged on recall at step ${step}: lower the learning rate.`);
      lab.progress.advance(
        stepFlops(prepared),
        `Recall, ${label}, seed ${seed}: step ${step} of ${spec.steps}`,
      );
      if (tests.includes(step))
        emitScores(lab, label, spec, { seed, step }, await test(lab, model, spec, seed, ignore));
    }
  } finally {
    model.dispose();
  }
}

/** Steps after which recall is tested: quarters of all steps. */
function testedSteps({ steps }: MqarSpec): number[] {
  return [...new Set([1, 2, 3, 4].map((quarter) => Math.ceil((steps * quarter) / 4)))];
}

function emitScores(
  lab: Lab,
  model: string,
  spec: MqarSpec,
  { seed, step }: { readonly seed: number; readonly step: number },
  answered: readonly Answered[],
): void {
  const asked = answered.length;
  const correct = answered.filter(isCorrect).length;
  const tokens = step * spec.batch * spec.context;
  const task = `recall, ${spec.pairs} pairs in ${spec.context} tokens`;
  const score: EvalScore = {
    model,
    task,
    seed,
    score: correct / asked,
    metric: 'accuracy',
    higherIsBetter: true,
    chance: mqarChance(spec),
    interval: wilson(correct, asked),
    items: asked,
    tokens,
  };
  lab.emit({ type: 'eval', score });
  if (step < spec.steps) return;
  const scores: number[] = [];
  for (let from = 0; from < asked; from += spec.pairs)
    scores.push(answered.slice(from, from + spec.pairs).filter(isCorrect).length / spec.pairs);
  const listed = answered.slice(0, MOST_LISTED);
  const answers = {
    key: listed.map(({ query }) => query.key),
    distance: listed.map(({ query }) => query.distance),
    expected: listed.map(({ query }) => query.answer),
    answer: listed.map(({ answer }) => answer),
  };
  lab.emit({
    type: 'items',
    items: { model, task, seed, tokens, unit: 'sequence', scores, shared: false, answers },
  });
}

interface Answered {
  readonly query: MqarQuery;
  readonly answer: number;
}

const isCorrect = ({ query, answer }: Answered): boolean => query.answer === answer;

/** What a model answers to the queries of fresh examples. */
async function test(
  lab: Lab,
  model: LoadedModel,
  spec: MqarSpec,
  seed: number,
  ignore: number,
): Promise<Answered[]> {
  const examples = new MqarSource(spec, spec.batch, seed + TEST_SEED, ignore);
  const flops = model.prepared.programs.get('forward')?.flops.forward ?? 0;
  const answered: Answered[] = [];
  for (let i = 0; i < testBatches(spec); i++) {
    const batch = examples.next();
    const { logits } = await model.forward(batch, lab.signal);
    if (logits === null)
      throw new Error(`${model.prepared.model.label} returns no logits, so its answers cannot be read.`);
    const width = logits.length / (spec.batch * spec.context);
    for (const query of batch.scored) {
      const { place } = query;
      answered.push({ query, answer: largest(logits.subarray(place * width, (place + 1) * width)) });
    }
    lab.progress.advance(flops, `Recall, testing ${model.prepared.model.label}`);
  }
  return answered;
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
