/**
 * Loss on the same data: every model sees the same batches in the same order, proved by a hash. Models take their steps in turn,
 * so that their seconds are measured under the same conditions.
 */
import type { EvalScore } from '../../shared/report.js';
import {
  type Batch,
  BatchSource,
  bitsPerByte,
  heldOutBatches,
  type TokenStream,
} from '../data/tokenStream.js';
import { LoadedModel } from '../engine/model.js';
import type { Prepared } from '../engine/prepare.js';
import { estimate, mean } from '../stats/estimate.js';
import { stepFlops } from './bench.js';
import type { TrainSpec } from './experiment.js';
import { type Lab, recordProblem } from './lab.js';
import { learningRateAt } from './schedule.js';

/** Held-out batches per test during training. */
const HELD_OUT_BATCHES = 8;

interface Learner {
  readonly label: string;
  readonly model: LoadedModel;
  readonly batches: BatchSource;
  seconds: number;
}

/** FLOPs of one seed of one model, for the estimate of time. */
export function trainingFlops(prepared: Prepared, spec: TrainSpec): number {
  const tests = Math.ceil(spec.steps / evalEvery(spec)) + 1;
  const forward = prepared.programs.get('forward')?.flops.forward ?? 0;
  return spec.steps * stepFlops(prepared) + tests * HELD_OUT_BATCHES * forward;
}

const evalEvery = (spec: TrainSpec): number => spec.evalEvery ?? Math.max(1, Math.ceil(spec.steps / 8));

/** Trains all models on one seed and emits losses and held-out losses; with `score`, the last one as an eval. */
export async function trainSeed(
  lab: Lab,
  models: readonly Prepared[],
  spec: TrainSpec,
  seed: number,
  stream: TokenStream,
  score: boolean,
): Promise<void> {
  const learners: Learner[] = [];
  const heldOut = heldOutBatches(stream.heldOut, spec.context, spec.batch, HELD_OUT_BATCHES);
  try {
    for (const prepared of models) {
      const { label } = prepared.model;
      try {
        const model = await LoadedModel.load(lab.session, prepared, seed);
        const batches = new BatchSource(stream.training, spec.context, spec.batch, seed);
        learners.push({ label, model, batches, seconds: 0 });
        lab.emit({
          type: 'training',
          model: label,
          seed,
          flopsPerToken: stepFlops(prepared) / (spec.batch * spec.context),
          bytesPerToken: stream.trainingBytesPerToken,
        });
      } catch (error) {
        recordProblem(lab, label, error);
      }
    }
    const running = new Set(learners);
    const attempt = async (learner: Learner, work: () => Promise<void>): Promise<void> => {
      if (!running.has(learner)) return;
      try {
        await work();
      } catch (error) {
        recordProblem(lab, learner.label, error);
        running.delete(learner);
      }
    };
    const test = async (step: number): Promise<void> => {
      for (const learner of learners)
        await attempt(learner, () =>
          testHeldOut(lab, learner, seed, step, spec, heldOut, stream, score && step === spec.steps),
        );
    };
    await test(0);
    for (let step = 1; step <= spec.steps; step++) {
      for (const learner of learners) await attempt(learner, () => trainStep(lab, learner, seed, step, spec));
      if (step % evalEvery(spec) === 0 || step === spec.steps) await test(step);
    }
    proveSameStream(lab, [...running], seed);
  } finally {
    for (const { model } of learners) model.dispose();
  }
}

async function trainStep(
  lab: Lab,
  learner: Learner,
  seed: number,
  step: number,
  spec: TrainSpec,
): Promise<void> {
  const hyper = { learningRate: learningRateAt(step, spec), step, clip: spec.clip ?? 1 };
  const result = await learner.model.step(learner.batches.next(), hyper, lab.signal);
  learner.seconds += result.ms / 1000;
  if (!Number.isFinite(result.loss))
    throw new Error(
      `${learner.label} diverged: its loss is ${result.loss} at step ${step} of seed ${seed}; lower the learning rate.`,
    );
  lab.emit({
    type: 'loss',
    model: learner.label,
    seed,
    step,
    tokens: step * spec.batch * spec.context,
    seconds: learner.seconds,
    loss: result.loss,
  });
  lab.progress.advance(
    stepFlops(learner.model.prepared),
    `Training, seed ${seed}: step ${step} of ${spec.steps}`,
  );
}

async function testHeldOut(
  lab: Lab,
  learner: Learner,
  seed: number,
  step: number,
  spec: TrainSpec,
  heldOut: readonly Batch[],
  stream: TokenStream,
  score: boolean,
): Promise<void> {
  const losses: number[] = [];
  const flops = learner.model.prepared.programs.get('forward')?.flops.forward ?? 0;
  for (const batch of heldOut) {
    losses.push((await learner.model.forward(batch, lab.signal)).loss);
    lab.progress.advance(flops, `Held-out loss of ${learner.label}, seed ${seed}`);
  }
  const bits = (nats: number): number => bitsPerByte(nats, stream.bytesPerToken);
  const tokens = step * spec.batch * spec.context;
  const loss = mean(losses);
  const { label: model, seconds } = learner;
  lab.emit({ type: 'heldOut', model, seed, step, tokens, seconds, loss, bitsPerByte: bits(loss) });
  if (!score) return;
  const scores = losses.map(bits);
  const evaluated = heldOutScore(model, seed, tokens, scores, spec);
  const { task } = evaluated;
  lab.emit(
    { type: 'eval', score: evaluated },
    {
      type: 'items',
      items: { model, task, seed, tokens, unit: 'chunk', scores, shared: true, answers: null },
    },
  );
}

/** Bits per byte with the spread over held-out batches. */
function heldOutScore(
  model: string,
  seed: number,
  tokens: number,
  bits: readonly number[],
  spec: TrainSpec,
): EvalScore {
  const { interval } = estimate(bits);
  return {
    model,
    task: 'held-out text',
    seed,
    score: bits.reduce((a, b) => a + b, 0) / bits.length,
    metric: 'bits per byte',
    higherIsBetter: false,
    chance: null,
    interval: bits.length < 2 ? null : interval,
    items: bits.length * spec.batch * spec.context,
    tokens,
  };
}

/** Says that all models saw the same tokens, or that they did not. */
function proveSameStream(lab: Lab, learners: readonly Learner[], seed: number): void {
  const hashes = new Set(learners.map(({ batches }) => batches.hash()));
  const [hash] = hashes;
  if (hash === undefined) return;
  if (hashes.size > 1)
    throw new Error(
      `The models did not see the same tokens in seed ${seed}: their losses cannot be compared.`,
    );
  lab.emit({
    type: 'note',
    message: `Seed ${seed}: every model saw the same training tokens (SHA-256 ${hash.slice(0, 16)}).`,
  });
}
