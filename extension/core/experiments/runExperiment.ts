/** Runs an experiment: prepares every model at every shape first, then measures with nothing else going on. */
import path from 'node:path';
import { embeddedCorpus, readCorpus } from '../data/corpus.js';
import { tokenize, tokenizerFor, type TokenStream } from '../data/tokenStream.js';
import type { CpuInfo } from '../engine/binding.js';
import type { Mode, Prepared } from '../engine/prepare.js';
import type { PreparedDecoder } from '../engine/prepareDecoder.js';
import type { Preparer } from '../engine/preparer.js';
import { recallFlops, scoreRecall } from '../evals/recall.js';
import { distPath } from '../paths.js';
import { messageOf } from '../runs/runError.js';
import { stepFlops, timeContext, timedSteps } from './bench.js';
import { decodeCapacity, decodingFlops, timeDecoding } from './decode.js';
import { describeEnvironment } from './environment.js';
import type { Experiment, MqarSpec } from './experiment.js';
import { type Lab, recordProblem } from './lab.js';
import { type ModelSource, resolveModels } from './modelSource.js';
import { measurePeak } from './peak.js';
import { trainingFlops, trainSeed } from './train.js';
import { UsageError } from './usageError.js';

interface Shape {
  readonly context: number;
  readonly batch: number;
  readonly vocab: number;
  readonly modes: readonly Mode[];
  readonly keepLogits?: boolean;
}

/** Prepares every model for one shape; one that fails is left out, and its problem recorded. */
type PrepareAll = (shape: Shape) => Promise<Prepared[]>;

/**
 * Runs all parts of an experiment. `preparer` is disposed of once everything is compiled, so that it does not disturb timing.
 * Rejects when nothing could be measured, when it is cancelled and when the run folder cannot be written.
 */
export async function runExperiment(
  lab: Lab,
  experiment: Experiment,
  root: string,
  cpu: CpuInfo,
  preparer: Preparer,
): Promise<void> {
  const models = resolveModels(experiment.models, root);
  const environment = describeEnvironment(experiment, cpu, root);
  lab.emit({ type: 'environment', environment });
  const stream = readStream(lab, experiment, root);
  if (stream !== null) {
    const { hash, description } = stream;
    lab.emit({
      type: 'environment',
      environment: { ...environment, dataHash: hash, dataDescription: description },
    });
  }
  const problems: Error[] = [];
  const told = new Set<string>();
  const report: Reporter = {
    introduce: (prepared) => {
      if (!told.has(prepared.model.label)) introduce(lab, prepared);
      told.add(prepared.model.label);
    },
    fail: (model, error) => {
      recordProblem(lab, model.label, error);
      problems.push(error instanceof Error ? error : new Error(String(error)));
    },
  };
  const prepareAll = prepareModels(lab, experiment, models, preparer, report);
  const recalls = (experiment.evals ?? []).filter((spec) => spec.kind === 'mqar');
  const { train, vocab } = experiment;
  const timing = await prepareTiming(experiment, prepareAll);
  const training =
    train === undefined ? [] : await prepareAll({ ...shapeOf(train), vocab, modes: ['train', 'forward'] });
  const recall: { spec: MqarSpec; models: Prepared[] }[] = [];
  for (const spec of recalls) {
    const shape = {
      ...shapeOf(spec),
      vocab: spec.vocab,
      modes: ['train', 'forward'],
      keepLogits: true,
    } as const;
    recall.push({ spec, models: await prepareAll(shape) });
  }
  const decoding = await prepareDecoding(lab, experiment, models, preparer, report);
  await preparer.dispose();
  if (
    timing.flat().length +
      decoding.length +
      training.length +
      recall.flatMap((task) => task.models).length ===
    0
  )
    throw problems[0] ?? new UsageError('No model could be prepared, so nothing was measured.');
  const parts = { timing, decoding, training, recall };
  announce(lab, experiment, parts);
  await measureAll(lab, experiment, parts, stream);
}

/** What will be measured, prepared. */
interface Parts {
  readonly timing: readonly (readonly Prepared[])[];
  readonly decoding: readonly PreparedDecoder[];
  readonly training: readonly Prepared[];
  readonly recall: readonly { readonly spec: MqarSpec; readonly models: readonly Prepared[] }[];
}

async function measureAll(
  lab: Lab,
  experiment: Experiment,
  { timing, decoding, training, recall }: Parts,
  stream: TokenStream | null,
): Promise<void> {
  lab.progress.say('Measuring the matrix-product peak of this machine');
  if (timing.length > 0)
    lab.emit({ type: 'peak', flopsPerSecond: await measurePeak(lab.session, lab.signal) });
  lab.progress.start();
  for (const models of timing) await timeContext(lab, models, experiment.timing!.samples);
  if (decoding.length > 0) await timeDecoding(lab, decoding, experiment.decode!);
  const score = (experiment.evals ?? []).some((spec) => spec.kind === 'heldout');
  if (stream !== null && training.length > 0)
    for (const seed of experiment.train!.seeds)
      await trainSeed(lab, training, experiment.train!, seed, stream, score);
  if (recall.some((task) => task.models.length > 0))
    lab.emit({
      type: 'note',
      message: 'Recall: places without a key or a value hold token 0, as in the paper, not random tokens.',
    });
  for (const { spec, models } of recall) {
    for (const seed of spec.seeds) {
      for (const model of models) {
        try {
          await scoreRecall(lab, model, spec, seed);
        } catch (error) {
          recordProblem(lab, model.model.label, error);
        }
      }
    }
  }
}

const shapeOf = ({ context, batch }: { context: number; batch: number }) => ({ context, batch });

/** Training text as tokens, where the experiment trains. */
function readStream(
  lab: Lab,
  experiment: Experiment,
  root: string,
): (TokenStream & { hash: string; description: string }) | null {
  if (experiment.train === undefined) return null;
  lab.progress.say('Reading the training text');
  const data = experiment.data ?? { tokenizer: 'byte' };
  const corpus =
    data.path === undefined
      ? embeddedCorpus([root, path.dirname(distPath())])
      : readCorpus(path.resolve(root, data.path));
  const { hash, description } = corpus;
  const vocabulary = data.vocabulary === undefined ? {} : { vocabulary: path.resolve(root, data.vocabulary) };
  return {
    ...tokenize(corpus, tokenizerFor({ ...data, ...vocabulary }), experiment.vocab),
    hash,
    description,
  };
}

/** Where it is told what a model is, the first time it is seen, and why one was left out. */
interface Reporter {
  readonly introduce: (prepared: Prepared | PreparedDecoder) => void;
  readonly fail: (model: ModelSource, error: unknown) => void;
}

/** A model that cannot decode is a failure where nothing else was asked of it, and a remark beside other measurements. */
async function prepareDecoding(
  lab: Lab,
  { decode, vocab, precision, ...others }: Experiment,
  models: readonly ModelSource[],
  preparer: Preparer,
  report: Reporter,
): Promise<PreparedDecoder[]> {
  const group: PreparedDecoder[] = [];
  if (decode === undefined) return group;
  const options = { capacity: decodeCapacity(decode), vocab, precision, prompts: decode.contexts };
  for (const model of models) {
    lab.progress.say(`Tracing and compiling ${model.label} for decoding`);
    try {
      const prepared = await preparer.prepareDecoder(model, options, lab.signal);
      report.introduce(prepared);
      group.push(prepared);
    } catch (error) {
      lab.signal.throwIfAborted();
      const { timing, train, evals = [] } = others;
      if (timing === undefined && train === undefined && evals.length === 0) report.fail(model, error);
      else lab.emit({ type: 'note', message: `${model.label} is not decoded: ${messageOf(error)}` });
    }
  }
  return group;
}

function prepareModels(
  lab: Lab,
  experiment: Experiment,
  models: readonly ModelSource[],
  preparer: Preparer,
  report: Reporter,
): PrepareAll {
  const { train, precision } = experiment;
  const rates = {
    ...(train === undefined ? {} : { learningRate: train.learningRate }),
    ...(train?.weightDecay === undefined ? {} : { weightDecay: train.weightDecay }),
  };
  return async (shape) => {
    const group: Prepared[] = [];
    for (const model of models) {
      lab.progress.say(`Tracing and compiling ${model.label} at context ${shape.context}`);
      try {
        const prepared = await preparer.prepare(model, { ...shape, ...rates, precision }, lab.signal);
        report.introduce(prepared);
        group.push(prepared);
      } catch (error) {
        report.fail(model, error);
      }
    }
    return group;
  };
}

/** Records what a model is. */
function introduce(lab: Lab, prepared: Prepared | PreparedDecoder): void {
  const { model, parameters, embeddingParameters, width } = prepared;
  const { label, source, file } = model;
  const { mixers } = prepared;
  lab.emit({
    type: 'model',
    model: { label, source, file, parameters, embeddingParameters, width, mixers },
  });
  if ('hasOptimizer' in prepared && !prepared.hasOptimizer)
    lab.emit({
      type: 'note',
      message: `${label} has no configure_optimizers: AdamW decays its matrices and leaves its vectors alone.`,
    });
}

async function prepareTiming(experiment: Experiment, prepareAll: PrepareAll): Promise<Prepared[][]> {
  const groups: Prepared[][] = [];
  const { vocab, timing } = experiment;
  for (const context of timing?.contexts ?? []) {
    const batch = Math.max(1, Math.round(timing!.tokensPerStep / context));
    groups.push(await prepareAll({ context, batch, vocab, modes: ['train'] }));
  }
  return groups.filter((group) => group.length > 0);
}

/** Tells the progress meter how much work there is. */
function announce(lab: Lab, experiment: Experiment, { timing, decoding, training, recall }: Parts): void {
  for (const group of timing) {
    const { samples } = experiment.timing!;
    for (const prepared of group) lab.progress.expect(stepFlops(prepared) * timedSteps(samples, false));
    lab.progress.expect(stepFlops(group[0]!) * timedSteps(samples, true));
  }
  decoding.forEach((prepared, index) => {
    // The first is its own A/A control.
    lab.progress.expect(decodingFlops(prepared, experiment.decode!) * (index === 0 ? 2 : 1));
  });
  for (const prepared of training)
    lab.progress.expect(trainingFlops(prepared, experiment.train!) * experiment.train!.seeds.length);
  for (const { spec, models } of recall)
    for (const prepared of models) lab.progress.expect(recallFlops(prepared, spec) * spec.seeds.length);
}
