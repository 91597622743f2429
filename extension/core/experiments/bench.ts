/**
 * Step time against context. All models of a context are loaded at once and timed in turn (A B A' A B A' ...), so that drift hits
 * all alike; A' is the first model loaded a second time, the A/A control.
 */
import { attribute } from '../engine/attribution.js';
import { LoadedModel, type Inputs, type StepResult } from '../engine/model.js';
import type { Prepared } from '../engine/prepare.js';
import { int64Bytes } from '../data/tokenStream.js';
import type { Series } from '../runs/events.js';
import { Random } from '../stats/random.js';
import { type Lab, recordProblem } from './lab.js';

const WARM_UP = 2;
const PROFILED = 2;
const SEED = 1337;
/** Small, so that random data cannot drive weights out of range; clipping as in training. */
const LEARNING_RATE = 1e-4;
const CLIP = 1;

interface Entry {
  readonly series: Series;
  readonly model: LoadedModel;
  readonly label: string;
  step: number;
}

/** Steps that {@link timeContext} runs per model, for the estimate of time. */
export function timedSteps(samples: number, isControl: boolean): number {
  return WARM_UP + samples + (isControl ? 0 : PROFILED);
}

/** Times all models at one context and emits points, samples and profiles. */
export async function timeContext(lab: Lab, models: readonly Prepared[], samples: number): Promise<void> {
  const entries: Entry[] = [];
  try {
    for (const prepared of models) await load(lab, entries, prepared, 'main');
    const [first] = entries;
    if (first === undefined) return;
    await load(lab, entries, first.model.prepared, 'control');
    await measure(lab, entries, samples);
  } finally {
    for (const { model } of entries) model.dispose();
  }
}

async function load(lab: Lab, entries: Entry[], prepared: Prepared, series: Series): Promise<void> {
  const { label } = prepared.model;
  try {
    entries.push({ series, model: await LoadedModel.load(lab.session, prepared, SEED), label, step: 0 });
  } catch (error) {
    recordProblem(lab, label, error);
    return;
  }
  if (series === 'main') lab.emit({ type: 'point', model: label, ...pointOf(prepared) });
}

function pointOf(prepared: Prepared) {
  const compiled = prepared.programs.get('train')!;
  const { forward, backward, optimizer } = compiled.flops;
  return {
    context: prepared.context,
    batch: prepared.batch,
    precision: prepared.precision,
    peakBytes: compiled.peakBytes,
    flops: forward + backward + optimizer,
  };
}

async function measure(lab: Lab, entries: readonly Entry[], samples: number): Promise<void> {
  const random = new Random(SEED);
  const { context, batch, vocab } = entries[0]!.model.prepared;
  const inputs = randomInputs(random, context * batch, vocab);
  const failed = new Set<Entry>();
  const turn = async (entry: Entry, profile: boolean): Promise<StepResult | null> => {
    if (failed.has(entry)) return null;
    try {
      entry.step += 1;
      const hyper = { learningRate: LEARNING_RATE, step: entry.step, clip: CLIP };
      const result = await entry.model.step(inputs, hyper, lab.signal, profile);
      lab.progress.advance(stepFlops(entry.model.prepared), `Timing ${entry.label} at context ${context}`);
      return result;
    } catch (error) {
      recordProblem(lab, entry.label, error);
      failed.add(entry);
      return null;
    }
  };
  for (let i = 0; i < WARM_UP; i++) for (const entry of entries) await turn(entry, false);
  for (let round = 0; round < samples; round++) {
    for (const entry of entries) {
      const result = await turn(entry, false);
      if (result === null) continue;
      const { ms, forwardMs, backwardMs, optimizerMs } = result;
      const { series, label: model } = entry;
      lab.emit({ type: 'sample', series, model, context, ms, forwardMs, backwardMs, optimizerMs });
    }
  }
  for (const entry of entries)
    if (entry.series === 'main') await profile(lab, entry, context, () => turn(entry, true));
}

/** Profiled steps are not timed ones: taking the time of every instruction costs a little itself. */
async function profile(
  lab: Lab,
  { model, label }: Entry,
  context: number,
  step: () => Promise<StepResult | null>,
): Promise<void> {
  let sum: Float64Array | null = null;
  for (let i = 0; i < PROFILED; i++) {
    const instructionNs = (await step())?.instructionNs;
    if (instructionNs === undefined || instructionNs === null) return;
    sum = sum === null ? instructionNs : sum.map((ns, index) => ns + (instructionNs[index] ?? 0));
  }
  const { programs, tables } = model.prepared;
  const mean = sum!.map((ns) => ns / PROFILED);
  const costs = attribute(programs.get('train')!.instructions, mean, tables, (file) => file);
  lab.emit({ type: 'profile', model: label, context, ...costs });
}

/** FLOPs of one training step. */
export function stepFlops(prepared: Prepared): number {
  const flops = prepared.programs.get('train')?.flops;
  return flops === undefined ? 0 : flops.forward + flops.backward + flops.optimizer;
}

/** Uniformly random tokens: what a step costs does not depend on which ones they are. */
function randomInputs(random: Random, count: number, vocab: number): Inputs {
  const tokens = (): Uint8Array => int64Bytes(Int32Array.from({ length: count }, () => random.below(vocab)));
  return { idx: tokens(), targets: tokens() };
}
