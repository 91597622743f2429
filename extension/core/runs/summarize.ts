/** (experiment, events) -> Report. Pure: the same events give the same report, whoever reads them, whenever. */
import type {
  Control,
  Crossover,
  Environment,
  EvalScore,
  LossCurve,
  ModelInfo,
  Problem,
  Progress,
  Report,
} from '../../shared/report.js';
import { PRACTICAL, reachOf } from '../stats/crossover.js';
import { ratioOfMedians } from '../stats/estimate.js';
import { lossCrossovers, timeCrossovers } from './crossovers.js';
import { DecodeTable } from './decodeTable.js';
import type { RunEvent } from './events.js';
import { TimingTable } from './timingTable.js';
import type { RunRecord } from './record.js';

/**
 * Builds the report of a run. `damagedLines` is how many lines of the log could not be read.
 * The record's status is taken as it stands: the reader has already looked whether the process lives.
 */
export function summarize(run: RunRecord, events: readonly RunEvent[], damagedLines = 0): Report {
  let environment: Environment | null = null;
  let peak: number | null = null;
  let progress: Progress | null = null;
  const models: ModelInfo[] = [];
  const table = new TimingTable();
  const decodes = new DecodeTable();
  const curves = new Map<
    string,
    { -readonly [K in keyof LossCurve]: LossCurve[K] extends readonly (infer E)[] ? E[] : LossCurve[K] }
  >();
  const evals: EvalScore[] = [];
  const notes: string[] = [];
  const problems: Problem[] = [];
  const curve = (model: string, seed: number) => {
    const key = `${seed} ${model}`;
    const found = curves.get(key) ?? { model, seed, points: [], heldOut: [] };
    curves.set(key, found);
    return found;
  };
  for (const event of events) {
    switch (event.type) {
      case 'header':
        break;
      case 'environment':
        environment = event.environment;
        break;
      case 'model':
        models.push(event.model);
        break;
      case 'peak':
        peak = event.flopsPerSecond;
        break;
      case 'point':
      case 'sample':
      case 'profile':
        table.add(event);
        break;
      case 'decodePoint':
      case 'decodeSample':
        decodes.add(event);
        break;
      case 'loss': {
        const { step, tokens, seconds, loss } = event;
        curve(event.model, event.seed).points.push({ step, tokens, seconds, loss });
        break;
      }
      case 'heldOut': {
        const { step, tokens, seconds, loss, bitsPerByte } = event;
        curve(event.model, event.seed).heldOut.push({ step, tokens, seconds, loss, bitsPerByte });
        break;
      }
      case 'eval':
        evals.push(event.score);
        break;
      case 'note':
        notes.push(event.message);
        break;
      case 'problem':
        problems.push(event.problem);
        break;
      case 'progress':
        progress = event.progress;
        break;
      default:
        // An event of a later minor format: what this reader knows is still shown.
        break;
    }
  }
  const general = (message: string): Problem => ({ message, model: null, file: null, line: null });
  if (run.error !== null && !problems.some(({ message }) => message === run.error))
    problems.push(general(run.error));
  if (run.status === 'interrupted')
    problems.push(
      general('The engine stopped before the run was finished: what was measured until then is shown.'),
    );
  if (damagedLines > 0)
    problems.push(general(`${damagedLines} damaged line(s) of events.jsonl were left out.`));
  const timing = table.points(peak);
  const control = table.controls().map(controlOf);
  const decode = decodes.points();
  const decodeControl = decodes.controls().map(controlOf);
  const loss = [...curves.values()];
  const crossovers: Crossover[] = [
    ...timeCrossovers(
      'context',
      timing.map(({ step, ...point }) => ({ ...point, time: step })),
      control,
    ),
    ...timeCrossovers(
      'decode',
      decode.map(({ token, ...point }) => ({ ...point, time: token })),
      decodeControl,
    ),
    ...lossCrossovers(loss),
  ];
  return {
    id: run.id,
    title: run.title,
    status: run.status,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt,
    models,
    environment: environment === null ? null : { ...environment, peakFlopsPerSecond: peak },
    tokensPerStep: run.experiment.timing?.tokensPerStep ?? null,
    timing,
    control,
    decode,
    decodeControl,
    loss,
    evals,
    crossovers,
    notes,
    problems,
    progress: run.status === 'running' ? progress : null,
  };
}

/** The two series of a model against each other. */
function controlOf(series: { model: string; context: number; main: number[]; second: number[] }): Control {
  const { model, context, main, second } = series;
  const { ratio, interval } = ratioOfMedians(main, second);
  const reach = reachOf(interval);
  return { model, context, ratio, interval, spread: reach - 1, busy: reach > PRACTICAL };
}
