/** The JSON documents of the commands; their fields are described in the README. */
import type { Report } from '../shared/report.js';

/** `crossover bench --json`. */
export function benchDocument(report: Report): object {
  return {
    id: report.id,
    status: report.status,
    environment: report.environment,
    models: report.models,
    tokensPerStep: report.tokensPerStep,
    control: report.control,
    results: report.timing.map(({ step, ...point }) => ({
      model: point.model,
      context: point.context,
      batch: point.batch,
      precision: point.precision,
      samplesMs: step.samples,
      medianMs: step.median,
      intervalMs: step.interval,
      forwardMs: point.forwardMs,
      backwardMs: point.backwardMs,
      optimizerMs: point.optimizerMs,
      peakBytes: point.peakBytes,
      tokensPerSecond: point.tokensPerSecond,
      flops: point.flops,
      flopsPerSecond: point.flopsPerSecond,
      shareOfPeak: point.shareOfPeak,
      lines: point.lines,
      modules: point.modules,
    })),
    crossovers: report.crossovers.filter(({ axis }) => axis === 'context'),
    notes: report.notes,
    problems: report.problems,
  };
}

/** `crossover decode --json`. */
export function decodeDocument(report: Report): object {
  const { id, status, environment, models, decodeControl, notes, problems } = report;
  return {
    id,
    status,
    environment,
    models,
    control: decodeControl,
    results: report.decode.map(({ token, prompt, ...point }) => ({
      model: point.model,
      context: point.context,
      precision: point.precision,
      tokenSamplesMs: token.samples,
      tokenMedianMs: token.median,
      tokenIntervalMs: token.interval,
      tokensPerSecond: point.tokensPerSecond,
      promptSamplesMs: prompt.samples,
      promptMedianMs: prompt.median,
      promptIntervalMs: prompt.interval,
      promptTokensPerSecond: point.promptTokensPerSecond,
      stateBytes: point.stateBytes,
    })),
    crossovers: report.crossovers.filter(({ axis }) => axis === 'decode'),
    notes,
    problems,
  };
}

/** `crossover train --json`. */
export function trainDocument(report: Report): object {
  const { id, status, environment, models, loss, notes, problems } = report;
  return {
    id,
    status,
    environment,
    models,
    losses: loss,
    crossovers: report.crossovers.filter(({ axis }) => ['tokens', 'seconds', 'flops'].includes(axis)),
    notes,
    problems,
  };
}

/** `crossover eval --json`. */
export function evalDocument(report: Report): object {
  const { id, status, environment, models, evals, comparisons, notes, problems } = report;
  return { id, status, environment, models, scores: evals, comparisons, notes, problems };
}
