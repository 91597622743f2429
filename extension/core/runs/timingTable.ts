/** Collects timing events per (model, context) and turns them into points whose lines add up to the median step. */
import type { LineCost, ModuleCost, TimingPoint } from '../../shared/report.js';
import { estimate, median } from '../stats/estimate.js';
import type { PointEvent, ProfileEvent, SampleEvent } from './events.js';

interface Cell {
  readonly model: string;
  readonly context: number;
  point: PointEvent | null;
  profile: ProfileEvent | null;
  readonly main: SampleEvent[];
  readonly control: SampleEvent[];
}

type Phases = { readonly forwardMs: number; readonly backwardMs: number; readonly optimizerMs: number };

export class TimingTable {
  readonly #cells = new Map<string, Cell>();

  add(event: PointEvent | SampleEvent | ProfileEvent): void {
    const key = `${event.context} ${event.model}`;
    const cell = this.#cells.get(key) ?? {
      model: event.model,
      context: event.context,
      point: null,
      profile: null,
      main: [],
      control: [],
    };
    this.#cells.set(key, cell);
    if (event.type === 'point') cell.point = event;
    else if (event.type === 'profile') cell.profile = event;
    else cell[event.series].push(event);
  }

  /** One point per cell that has at least one sample. */
  points(peakFlopsPerSecond: number | null): TimingPoint[] {
    return [...this.#cells.values()].flatMap((cell) =>
      cell.point === null || cell.main.length === 0
        ? []
        : [timingPoint(cell, cell.point, peakFlopsPerSecond)],
    );
  }

  /** Samples of the A/A control, round by round. */
  controls(): { model: string; context: number; main: number[]; second: number[] }[] {
    return [...this.#cells.values()]
      .filter(({ control, main }) => control.length > 0 && main.length > 0)
      .map(({ model, context, main, control }) => ({
        model,
        context,
        main: main.map(({ ms }) => ms),
        second: control.map(({ ms }) => ms),
      }));
  }
}

function timingPoint(cell: Cell, point: PointEvent, peak: number | null): TimingPoint {
  const step = estimate(cell.main.map(({ ms }) => ms));
  const phases = scaled(
    {
      forwardMs: median(cell.main.map(({ forwardMs }) => forwardMs)),
      backwardMs: median(cell.main.map(({ backwardMs }) => backwardMs)),
      optimizerMs: median(cell.main.map(({ optimizerMs }) => optimizerMs)),
    },
    step.median,
  );
  const flopsPerSecond = (point.flops / step.median) * 1000;
  return {
    model: cell.model,
    context: cell.context,
    batch: point.batch,
    precision: point.precision,
    step,
    ...phases,
    peakBytes: point.peakBytes,
    tokensPerSecond: (point.batch * cell.context * 1000) / step.median,
    flops: point.flops,
    flopsPerSecond,
    shareOfPeak: peak === null ? null : flopsPerSecond / peak,
    lines: attribute(cell.profile?.lines ?? [], phases, step.median),
    modules: attributeModules(cell.profile?.modules ?? [], phases),
  };
}

/** Scales phases so that they add up to the whole step. */
function scaled(phases: Phases, stepMs: number): Phases {
  const sum = phases.forwardMs + phases.backwardMs + phases.optimizerMs;
  const factor = sum > 0 ? stepMs / sum : 0;
  return {
    forwardMs: phases.forwardMs * factor,
    backwardMs: phases.backwardMs * factor,
    optimizerMs: phases.optimizerMs * factor,
  };
}

/** Factor per phase that brings the sum of profiled parts to the phase's share of the median step. */
function factors(parts: readonly Phases[], phases: Phases): Phases {
  const factor = (key: keyof Phases): number => {
    const sum = parts.reduce((total, part) => total + part[key], 0);
    return sum > 0 ? phases[key] / sum : 0;
  };
  return {
    forwardMs: factor('forwardMs'),
    backwardMs: factor('backwardMs'),
    optimizerMs: factor('optimizerMs'),
  };
}

function attribute(lines: readonly LineCost[], phases: Phases, stepMs: number): LineCost[] {
  const factor = factors(lines, phases);
  return lines.map((line) => {
    const times = times3(line, factor);
    return { ...line, ...times, share: (times.forwardMs + times.backwardMs + times.optimizerMs) / stepMs };
  });
}

function attributeModules(modules: readonly ModuleCost[], phases: Phases): ModuleCost[] {
  const factor = factors(modules, phases);
  return modules.map((module) => ({ ...module, ...times3(module, factor) }));
}

const times3 = (part: Phases, factor: Phases): Phases => ({
  forwardMs: part.forwardMs * factor.forwardMs,
  backwardMs: part.backwardMs * factor.backwardMs,
  optimizerMs: part.optimizerMs * factor.optimizerMs,
});
