/** Loss in charts and tables: pure functions of the report. */
import { modelLabels } from '../extension/shared/modelLabels.js';
import { curveKey, type LossColumns } from '../extension/shared/lossColumns.js';
import type { LossAxis, LossSmoothing, LossUnit, View } from '../extension/shared/protocol.js';
import type { Crossover, LossCurve, LossPoint, Report } from '../extension/shared/report.js';
import { about, aboutWithin, digits, duration, flops, integer, range } from '../extension/shared/units.js';
import type { ChartMark, ChartPoint, ChartSeries, ChartSpec, DenseCurve } from './chartSpec.js';
import { conditions, trainingTokensPerStep } from './conditions.js';
import { meanAndBand, movingAverage } from './smoothing.js';
import { number, optional } from './columns.js';
import type { Column } from './table.js';

export const LOSS_LABELS: Readonly<Record<LossAxis, string>> = {
  tokens: 'Training tokens',
  seconds: 'Training seconds',
  flops: 'Training FLOPs',
  step: 'Steps',
};
export const LOSS_UNIT_LABELS: Readonly<Record<LossUnit, string>> = {
  nats: 'Nats per token',
  bitsPerByte: 'Bits per byte',
};
export const SMOOTHING_LABELS: Readonly<Record<LossSmoothing, string>> = {
  '1': 'None',
  '10': 'Over 10 steps',
  '100': 'Over 100 steps',
  '1000': 'Over 1,000 steps',
};

const three = (value: number): string => digits(value, 3);

const FORMATS: Readonly<Record<LossAxis, (value: number) => string>> = {
  tokens: integer,
  seconds: three,
  flops,
  step: integer,
};

/** What a report has numbers for: FLOPs need the compiler's count, bits per byte the length of tokens. */
export function lossChoices({ loss }: Report): {
  readonly flops: boolean;
  readonly bitsPerByte: boolean;
  readonly seeds: boolean;
  readonly smoothing: boolean;
} {
  return {
    flops: loss.every(({ flopsPerToken }) => flopsPerToken !== null),
    bitsPerByte: loss.every(({ bytesPerToken }) => bytesPerToken !== null),
    seeds: loss.some(({ model }, index) => loss.findIndex((other) => other.model === model) < index),
    smoothing: !loss.some((curve) => curve.thinned === true),
  };
}

/** The view with choices that this report has no numbers for put back. */
export function possibleView(report: Report, view: View): View {
  const choices = lossChoices(report);
  return {
    ...view,
    lossAxis: view.lossAxis === 'flops' && !choices.flops ? 'tokens' : view.lossAxis,
    lossUnit: choices.bitsPerByte ? view.lossUnit : 'nats',
    lossSmoothing: choices.smoothing ? view.lossSmoothing : '1',
  };
}

/** One seed has no interval, and cannot tell a crossover from chance. */
function crossingText(axis: LossAxis, at: number, interval: Crossover['interval']): string {
  const words = axis === 'flops' ? flops(at) : about(at);
  if (interval === null) return `curves cross at ${words}, one seed`;
  const within = axis === 'flops' ? `${words} (${range(interval, flops)})` : aboutWithin(at, interval);
  return `crossover at ${within}`;
}

/** Crossovers on an axis; on that of steps, those over tokens where all curves take the same number in a step. */
export function lossCrossings(report: Report, axis: LossAxis): Crossover[] {
  if (axis !== 'step') return report.crossovers.filter((crossing) => crossing.axis === axis);
  const each = trainingTokensPerStep(report.loss);
  if (each === null) return [];
  return report.crossovers
    .filter((crossing) => crossing.axis === 'tokens')
    .map((crossing) => ({
      ...crossing,
      at: crossing.at === null ? null : crossing.at / each,
      interval:
        crossing.interval === null ? null : [crossing.interval[0] / each, crossing.interval[1] / each],
    }));
}

type Placed = Pick<LossCurve, 'flopsPerToken' | 'bytesPerToken'>;

function placesOf(axis: LossAxis, columns: LossColumns, { flopsPerToken }: Placed): Float64Array {
  if (axis !== 'flops') return columns[axis];
  return columns.tokens.map((tokens) => tokens * (flopsPerToken ?? NaN));
}

function lossesOf(unit: LossUnit, { loss }: LossColumns, { bytesPerToken }: Placed): Float64Array {
  const each = Math.LN2 * (bytesPerToken ?? NaN);
  return unit === 'nats' ? loss : loss.map((nats) => nats / each);
}

/** One seed, smoothed where that is asked for. */
function seedCurve(view: View, curve: LossCurve, columns: LossColumns): DenseCurve {
  const raw = lossesOf(view.lossUnit, columns, curve);
  const steps = Number(view.lossSmoothing);
  const x = placesOf(view.lossAxis, columns, curve);
  return steps === 1
    ? { x, y: raw, raw: null, band: null }
    : { x, y: movingAverage(raw, steps), raw, band: null };
}

/** Mean and band of seeds at the same step; each seed is smoothed by itself. */
function meanCurve(seeds: readonly DenseCurve[]): DenseCurve {
  const { mean, low, high } = meanAndBand(seeds.map(({ y }) => y));
  const raws = seeds.map(({ raw }) => raw).filter((raw) => raw !== null);
  return {
    x: meanAndBand(seeds.map(({ x }) => x)).mean,
    y: mean,
    raw: raws.length === 0 ? null : meanAndBand(raws).mean,
    band: { low, high },
  };
}

type HeldOut = LossCurve['heldOut'][number];

function heldOutPoint({ lossAxis, lossUnit }: View, curve: Placed, point: HeldOut): ChartPoint {
  return {
    x: lossAxis === 'flops' ? point.tokens * (curve.flopsPerToken ?? NaN) : point[lossAxis],
    y: lossUnit === 'nats' ? point.loss : (point.bitsPerByte ?? NaN),
  };
}

/** Means over seeds of held-out points at the same place in their lists, with lowest and highest. */
function meanPoints(seeds: readonly (readonly ChartPoint[])[]): ChartPoint[] {
  const length = Math.min(...seeds.map((points) => points.length));
  return Array.from({ length }, (_, index) => {
    const at = seeds.map((points) => points[index]!);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const ys = at.map(({ y }) => y);
    return { x: mean(at.map(({ x }) => x)), y: mean(ys), interval: [Math.min(...ys), Math.max(...ys)] };
  });
}

/**
 * Training loss (lines) and held-out loss (dashed, with markers) of every model: the mean and the band of its seeds, or every
 * seed. `columns` are the training losses of the report's curves.
 */
export function lossSpec(report: Report, asked: View, columns: readonly LossColumns[]): ChartSpec {
  const view = possibleView(report, asked);
  const { lossAxis: axis } = view;
  const labels = modelLabels(report);
  const choices = lossChoices(report);
  const groups = new Map<string, { readonly curve: LossCurve; readonly columns: LossColumns }[]>();
  report.loss.forEach((curve, index) => {
    const key = view.lossSeeds ? curveKey(curve) : curve.model;
    groups.set(key, [...(groups.get(key) ?? []), { curve, columns: columns[index]! }]);
  });
  const shows = ({ x, y }: ChartPoint): boolean =>
    Number.isFinite(y) && Number.isFinite(x) && (x > 0 || !view.lossLogX) && (y > 0 || !view.lossLogY);
  const series = [...groups.values()].flatMap((group): ChartSeries[] => {
    const [{ curve: first }] = group as [(typeof group)[number]];
    const name = view.lossSeeds && choices.seeds ? `${first.model}, seed ${first.seed}` : first.model;
    const fine = view.lossSeeds && choices.seeds;
    const common = { model: labels.indexOf(first.model), fine };
    const grouped = (group: string) => (fine ? { group } : {});
    const lines = group.map((seed) => seedCurve(view, seed.curve, seed.columns));
    const dense = lines.length === 1 ? lines[0]! : meanCurve(lines);
    const tests = group.map(({ curve }) =>
      curve.heldOut.map((point) => heldOutPoint(view, curve, point)).filter(shows),
    );
    const heldOut = tests.length === 1 ? tests[0]! : meanPoints(tests);
    return [
      ...(dense.x.length > 0
        ? [{ ...common, ...grouped(first.model), label: name, points: [], curve: dense, markers: false }]
        : []),
      ...(heldOut.length > 0
        ? [
            {
              ...common,
              ...grouped(`${first.model}, held out`),
              label: `${name}, held out`,
              points: heldOut,
              dashed: true,
            },
          ]
        : []),
    ];
  });
  const unit = LOSS_UNIT_LABELS[view.lossUnit].toLowerCase();
  return {
    description: `Training loss against ${LOSS_LABELS[axis].replace(/^T/, 't').replace(/^S/, 's')}; the table below has the last values.`,
    caption: [...methods(report, view), ...conditions(report, trainingTokensPerStep(report.loss))],
    x: { label: LOSS_LABELS[axis], log: view.lossLogX, format: FORMATS[axis] },
    y: { label: `Loss (${unit})`, log: view.lossLogY, format: three },
    series,
    marks: lossCrossings(report, axis).flatMap(({ at, interval }): ChartMark[] =>
      at === null ? [] : [{ at, interval, label: crossingText(axis, at, interval) }],
    ),
    level: null,
    zoom: true,
  };
}

/** How lines were made of what was measured. */
function methods({ loss }: Report, view: View): string[] {
  const counts = new Map<string, number>();
  for (const { model } of loss) counts.set(model, (counts.get(model) ?? 0) + 1);
  const seeds = Math.max(...counts.values());
  const bytes = [...new Set(loss.map(({ bytesPerToken }) => bytesPerToken))];
  return [
    ...(seeds > 1 && !view.lossSeeds
      ? [`Line: mean of ${seeds} seeds at the same step; bands: lowest to highest seed.`]
      : []),
    ...(view.lossSmoothing === '1'
      ? []
      : [
          `Exponential moving average ${SMOOTHING_LABELS[view.lossSmoothing].toLowerCase()}, start corrected, which lags behind; what was measured is pale behind it.`,
        ]),
    ...(view.lossUnit === 'bitsPerByte' && bytes.some((each) => each !== 1)
      ? [
          `Training loss in bits per byte by the mean of ${bytes.map((each) => digits(each ?? NaN)).join(' and ')} bytes per training token.`,
        ]
      : []),
    ...(view.lossAxis === 'flops'
      ? [
          'FLOPs of whole training steps as the compiler counts them: 2 per multiply-add, causal attention credited.',
        ]
      : []),
    ...(loss.some((curve) => curve.thinned === true)
      ? ['Of long curves this file holds the extremes, so they cannot be smoothed here.']
      : []),
  ];
}

const last = (curve: LossCurve): LossPoint | undefined => curve.points.at(-1);
const four = (value: number): string => digits(value, 4);
const flopsOf = (curve: LossCurve): number | null => {
  const tokens = last(curve)?.tokens;
  return curve.flopsPerToken === null || tokens === undefined ? null : curve.flopsPerToken * tokens;
};

export const LOSS_COLUMNS: readonly Column<LossCurve>[] = [
  { title: 'Model', text: ({ model }) => model, words: true },
  { title: 'Seed', ...number(({ seed }) => seed, String) },
  { title: 'Steps', ...optional((curve) => last(curve)?.step, integer) },
  { title: 'Tokens', ...optional((curve) => last(curve)?.tokens, integer) },
  { title: 'FLOPs', ...optional(flopsOf, flops), hint: 'Of training, as the compiler counts them' },
  { title: 'Training time', ...optional((curve) => last(curve)?.seconds, duration, 's') },
  {
    title: 'Training loss',
    ...optional((curve) => last(curve)?.loss, four, 'nats per token'),
    hint: 'Nats per token, last step',
  },
  {
    title: 'Held-out loss',
    ...optional(({ heldOut }) => heldOut.at(-1)?.loss, four, 'nats per token'),
    hint: 'Nats per token',
  },
  {
    title: 'Bits per byte',
    ...optional(({ heldOut }) => heldOut.at(-1)?.bitsPerByte, four),
    hint: 'Held out',
  },
];
