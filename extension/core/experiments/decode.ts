/**
 * Decoding: the time a token takes after a prompt of some length, the time the prompt takes, and what must be kept of it.
 * One sequence at a time. Models take turns; a sample is the median of a few tokens in a row: what a token costs depends on
 * the weights still being in cache from the one before, and one that another process held up is not what a token costs.
 */
import { windowsOf } from '../engine/prepareDecoder.js';
import type { PreparedDecoder } from '../engine/prepareDecoder.js';
import { Decoder } from '../engine/decoder.js';
import type { Series } from '../runs/events.js';
import { median } from '../stats/estimate.js';
import { Random } from '../stats/random.js';
import type { DecodeSpec } from './experiment.js';
import { type Lab, recordProblem } from './lab.js';

const SEED = 1;
const WARM_UP = 1;
/** Tokens of one sample, after one that is not timed. */
const TOKENS = 8;

/** Tokens that a decoder must hold for an experiment. */
export function decodeCapacity({ contexts }: DecodeSpec): number {
  return Math.max(...contexts) + TOKENS + 1;
}

interface Entry {
  readonly series: Series;
  readonly decoder: Decoder;
  readonly label: string;
}

/** FLOPs of all prompts and tokens of one model, for the estimate of time. A token waits for memory: it counts ten times. */
export function decodingFlops(prepared: PreparedDecoder, spec: DecodeSpec): number {
  return spec.contexts.reduce(
    (total, context) =>
      total +
      (WARM_UP + spec.samples) * (promptFlops(prepared, context) + (TOKENS + 1) * tokenFlops(prepared)),
    0,
  );
}

const tokenFlops = (prepared: PreparedDecoder): number => 10 * prepared.windows.get(1)!.flops.forward;

function promptFlops({ windows }: PreparedDecoder, tokens: number): number {
  return windowsOf(tokens, Math.max(...windows.keys())).reduce(
    (total, length) => total + (windows.get(length)?.flops.forward ?? 0),
    0,
  );
}

/** Measures all models at all contexts, one of them twice for the A/A control, and emits points and samples. */
export async function timeDecoding(
  lab: Lab,
  models: readonly PreparedDecoder[],
  spec: DecodeSpec,
): Promise<void> {
  const entries: Entry[] = [];
  try {
    for (const prepared of models) await load(lab, entries, prepared, 'main');
    const [first] = entries;
    if (first !== undefined) await load(lab, entries, first.decoder.prepared, 'control');
    for (const context of spec.contexts) await measure(lab, entries, context, spec.samples);
  } finally {
    for (const { decoder } of entries) decoder.dispose();
  }
}

async function load(lab: Lab, entries: Entry[], prepared: PreparedDecoder, series: Series): Promise<void> {
  const { label } = prepared.model;
  try {
    entries.push({ series, label, decoder: await Decoder.load(lab.session, prepared, SEED) });
  } catch (error) {
    recordProblem(lab, label, error);
  }
}

async function measure(lab: Lab, entries: Entry[], context: number, samples: number): Promise<void> {
  for (const { series, label, decoder } of entries)
    if (series === 'main')
      lab.emit({
        type: 'decodePoint',
        model: label,
        context,
        precision: decoder.prepared.precision,
        stateBytes: decoder.stateBytes(context),
      });
  const random = new Random(SEED);
  for (let round = 0; round < WARM_UP + samples; round++) {
    for (const entry of [...entries]) {
      try {
        const timed = await turn(lab, entry, context, random);
        if (round >= WARM_UP) lab.emit({ type: 'decodeSample', series: entry.series, context, ...timed });
      } catch (error) {
        recordProblem(lab, entry.label, error);
        entries.splice(entries.indexOf(entry), 1);
        entry.decoder.dispose();
      }
    }
  }
}

/** A prompt from the start, then a few tokens. */
async function turn(lab: Lab, { decoder, label }: Entry, context: number, random: Random) {
  const { prepared } = decoder;
  const draw = (count: number): number[] => Array.from({ length: count }, () => random.below(prepared.vocab));
  await decoder.reset();
  const { ms: promptMs } = await decoder.read(draw(context), lab.signal);
  lab.progress.advance(promptFlops(prepared, context), `Reading a prompt of ${context} with ${label}`);
  await decoder.read(draw(1), lab.signal);
  const tokensMs: number[] = [];
  for (let i = 0; i < TOKENS; i++) tokensMs.push((await decoder.read(draw(1), lab.signal)).ms);
  lab.progress.advance((TOKENS + 1) * tokenFlops(prepared), `Decoding with ${label} after ${context} tokens`);
  return { model: label, promptMs, tokenMs: median(tokensMs) };
}
