/** (experiment, events) -> Report. Pure: the same events give the same report, whoever reads them, whenever. */
import type {
  Control,
  Crossover,
  Environment,
  EvalComparison,
  EvalItems,
  EvalScore,
  LossCurve,
  ModelInfo,
  Problem,
  Progress,
  Report,
} from '../../shared/report.js';
import { finalScores } from '../../shared/finalScores.js';
import { PRACTICAL, reachOf } from '../stats/crossover.js';
import { ratioOfMedians } from '../stats/estimate.js';
import { compareEvals } from './comparisons.js';
import { lossCrossovers, stepTime, timeCrossovers, tokenTime } from './crossovers.js';
import { DecodeTable } from './decodeTable.js';
import type { RunEvent } from './events.js';
import { TimingTable } from './timingTable.js';
import type { RunRecord } from './record.js';

type GrowingCurve = {
  -readonly [K in keyof LossCurve]: LossCurve[K] extends readonly (infer E)[] ? E[] : LossCurve[K];
};

/** What events amount to so far. Adding one takes no longer late in a run than early. */
export class Summary {
  #environment: Environment | null = null;
  #peak: number | null = null;
  #progress: Progress | null = null;
  readonly #models: ModelInfo[] = [];
  readonly #table = new TimingTable();
  readonly #decodes = new DecodeTable();
  readonly #curves = new Map<string, GrowingCurve>();
  readonly #evals: EvalScore[] = [];
  readonly #items: EvalItems[] = [];
  readonly #comparisons = new Latest<EvalComparison[]>();
  readonly #notes: string[] = [];
  readonly #problems: Problem[] = [];
  readonly #crossovers = { time: new Latest<Crossover[]>(), loss: new Latest<Crossover[]>() };
  #timed = 0;
  #tested = 0;

  add(event: RunEvent): void {
    switch (event.type) {
      case 'header':
        break;
      case 'environment':
        this.#environment = event.environment;
        break;
      case 'model':
        this.#models.push(event.model);
        break;
      case 'peak':
        this.#peak = event.flopsPerSecond;
        break;
      case 'point':
      case 'sample':
      case 'profile':
        this.#table.add(event);
        this.#timed++;
        break;
      case 'decodePoint':
      case 'decodeSample':
        this.#decodes.add(event);
        this.#timed++;
        break;
      case 'training': {
        const curve = this.#curve(event.model, event.seed);
        curve.flopsPerToken = event.flopsPerToken;
        curve.bytesPerToken = event.bytesPerToken;
        break;
      }
      case 'loss': {
        const { step, tokens, seconds, loss } = event;
        this.#curve(event.model, event.seed).points.push({ step, tokens, seconds, loss });
        break;
      }
      case 'heldOut': {
        const { step, tokens, seconds, loss, bitsPerByte } = event;
        this.#curve(event.model, event.seed).heldOut.push({ step, tokens, seconds, loss, bitsPerByte });
        this.#tested++;
        break;
      }
      case 'eval':
        this.#evals.push(event.score);
        break;
      case 'items':
        this.#items.push(event.items);
        break;
      case 'note':
        this.#notes.push(event.message);
        break;
      case 'problem':
        this.#problems.push(event.problem);
        break;
      case 'progress':
        this.#progress = event.progress;
        break;
      default:
        // An event of a later minor format: what this reader knows is still shown.
        break;
    }
  }

  #curve(model: string, seed: number): GrowingCurve {
    const key = `${seed} ${model}`;
    const none = { flopsPerToken: null, bytesPerToken: null };
    const found = this.#curves.get(key) ?? { model, seed, points: [], heldOut: [], ...none };
    this.#curves.set(key, found);
    return found;
  }

  /**
   * The report of a run with the events so far. `damagedLines` is how many lines of the log could not be read.
   * The record's status is taken as it stands: the reader has already looked whether the process lives.
   */
  report(run: RunRecord, damagedLines = 0): Report {
    const problems = [...this.#problems];
    const general = (message: string): Problem => ({ message, model: null, file: null, line: null });
    if (run.error !== null && !problems.some(({ message }) => message === run.error))
      problems.push(general(run.error));
    if (run.status === 'interrupted')
      problems.push(
        general('The engine stopped before the run was finished: what was measured until then is shown.'),
      );
    if (damagedLines > 0)
      problems.push(general(`${damagedLines} damaged line(s) of events.jsonl were left out.`));
    const timing = this.#table.points(this.#peak);
    const control = this.#table.controls().map(controlOf);
    const decode = this.#decodes.points();
    const decodeControl = this.#decodes.controls().map(controlOf);
    const loss = [...this.#curves.values()].map((curve): LossCurve => ({ ...curve }));
    const crossovers: Crossover[] = [
      ...this.#crossovers.time.of(this.#timed, () => [
        ...timeCrossovers('context', timing.map(stepTime), control),
        ...timeCrossovers('decode', decode.map(tokenTime), decodeControl),
      ]),
      ...this.#crossovers.loss.of(this.#tested, () => lossCrossovers(loss)),
    ];
    const environment = this.#environment;
    return {
      id: run.id,
      title: run.title,
      status: run.status,
      startedAt: run.startedAt,
      finishedAt: run.finishedAt,
      models: [...this.#models],
      environment: environment === null ? null : { ...environment, peakFlopsPerSecond: this.#peak },
      tokensPerStep: run.experiment.timing?.tokensPerStep ?? null,
      timing,
      control,
      decode,
      decodeControl,
      loss,
      evals: [...this.#evals],
      evalItems: finalScores(this.#items),
      comparisons: this.#comparisons.of(this.#items.length, () => compareEvals(this.#items, this.#evals)),
      crossovers,
      notes: [...this.#notes],
      problems,
      progress: run.status === 'running' ? this.#progress : null,
    };
  }
}

/** Builds the report of a run from all its events, as {@link Summary} does. */
export function summarize(run: RunRecord, events: readonly RunEvent[], damagedLines = 0): Report {
  const summary = new Summary();
  for (const event of events) summary.add(event);
  return summary.report(run, damagedLines);
}

/** Keeps what was worked out until its input has changed. */
class Latest<T> {
  #made: { readonly version: number; readonly value: T } | null = null;

  of(version: number, make: () => T): T {
    if (this.#made?.version !== version) this.#made = { version, value: make() };
    return this.#made.value;
  }
}

/** The two series of a model against each other. */
function controlOf(series: { model: string; context: number; main: number[]; second: number[] }): Control {
  const { model, context, main, second } = series;
  const { ratio, interval } = ratioOfMedians(main, second);
  const reach = reachOf(interval);
  return { model, context, ratio, interval, spread: reach - 1, busy: reach > PRACTICAL };
}
