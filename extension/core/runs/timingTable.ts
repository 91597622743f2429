/** Collects timing events per (model, context) and turns them into points whose lines add up to the median step. */
import type { LineCost, ModuleCost, PartCost, TimingPoint } from '../../shared/report.js';
import { estimate, median } from '../stats/estimate.js';
import { Cells, type Cell, type ControlSeries } from './cells.js';
import type { PointEvent, ProfileEvent, SampleEvent } from './events.js';

type Phases = { readonly forwardMs: number; readonly backwardMs: number; readonly optimizerMs: number };

export class TimingTable {
  readonly #cells = new Cells<PointEvent, SampleEvent>();
  readonly #profiles = new Map<Cell<PointEvent, SampleEvent>, ProfileEvent>();

  add(event: PointEvent | SampleEvent | ProfileEvent): void {
    if (event.type === 'point') this.#cells.at(event).point = event;
    else if (event.type === 'profile') this.#profiles.set(this.#cells.at(event), event);
    else this.#cells.addSample(event);
  }

  /** One point per cell that has at least one sample. */
  points(peakFlopsPerSecond: number | null): TimingPoint[] {
    return this.#cells.measured().map((cell) => {
      const profile = this.#profiles.get(cell) ?? null;
      return timingPoint(cell.point, cell.main, profile, peakFlopsPerSecond);
    });
  }

  controls(): ControlSeries[] {
    return this.#cells.controls(({ ms }) => ms);
  }
}

function timingPoint(
  point: PointEvent,
  main: readonly SampleEvent[],
  profile: ProfileEvent | null,
  peak: number | null,
): TimingPoint {
  const { model, context, batch, precision, peakBytes, flops } = point;
  const step = estimate(main.map(({ ms }) => ms));
  const phases = scaled(
    {
      forwardMs: median(main.map(({ forwardMs }) => forwardMs)),
      backwardMs: median(main.map(({ backwardMs }) => backwardMs)),
      optimizerMs: median(main.map(({ optimizerMs }) => optimizerMs)),
    },
    step.median,
  );
  const flopsPerSecond = (flops / step.median) * 1000;
  return {
    model,
    context,
    batch,
    precision,
    step,
    ...phases,
    peakBytes,
    tokensPerSecond: (batch * context * 1000) / step.median,
    flops,
    flopsPerSecond,
    shareOfPeak: peak === null ? null : flopsPerSecond / peak,
    lines: attribute(profile?.lines ?? [], phases, step.median),
    modules: attributeModules(profile?.modules ?? [], phases),
    ...(profile?.parts === undefined ? {} : { parts: attributeParts(profile.parts, phases) }),
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

function attributeParts(parts: readonly PartCost[], phases: Phases): PartCost[] {
  const factor = factors(
    parts.map(({ ms }) => ({ forwardMs: ms[0], backwardMs: ms[1], optimizerMs: ms[2] })),
    phases,
  );
  return parts.map(({ ms: [forward, backward, optimizer], ...part }) => ({
    ...part,
    ms: [forward * factor.forwardMs, backward * factor.backwardMs, optimizer * factor.optimizerMs],
  }));
}

const times3 = (part: Phases, factor: Phases): Phases => ({
  forwardMs: part.forwardMs * factor.forwardMs,
  backwardMs: part.backwardMs * factor.backwardMs,
  optimizerMs: part.optimizerMs * factor.optimizerMs,
});
