/** Adds the time of profiled instructions up per source line and per module. */
import type { ByPhase, LineCost, ModuleCost, PartCost } from '../../shared/report.js';
import type { InstructionOrigin } from '../compiler/compiled.js';
import type { Graph, Phase } from '../compiler/graph.js';

/** The tables of a forward graph that origins point into. */
export type SourceTables = Pick<Graph, 'files' | 'spans' | 'stacks' | 'scopes'>;

interface Sum {
  forwardMs: number;
  backwardMs: number;
  optimizerMs: number;
  flops: number;
  bytes: number;
}

/** The innermost line of the user's code; `null` for work that belongs to no line. */
function placeOf(tables: SourceTables, stack: number): { file: string; line: number } | null {
  const span = tables.spans[tables.stacks[stack]?.[0] ?? -1];
  return span === undefined ? null : { file: tables.files[span.file] ?? '', line: span.line };
}

function add(
  sums: Map<string, Sum>,
  key: string,
  origin: InstructionOrigin,
  ms: number,
  share: number,
): void {
  const sum = sums.get(key) ?? { forwardMs: 0, backwardMs: 0, optimizerMs: 0, flops: 0, bytes: 0 };
  sums.set(key, sum);
  sum[PHASE_KEYS[origin.phase]] += ms * share;
  sum.flops += origin.flops * share;
  sum.bytes += origin.bytes * share;
}

const PHASE_KEYS = {
  init: 'forwardMs',
  forward: 'forwardMs',
  backward: 'backwardMs',
  optimizer: 'optimizerMs',
} as const satisfies Record<Phase, keyof Sum>;

/** Columns of {@link ByPhase}. */
const PHASE_INDEX = { init: 0, forward: 0, backward: 1, optimizer: 2 } as const satisfies Record<
  Phase,
  number
>;

interface PartSum {
  readonly ms: [number, number, number];
  readonly flops: [number, number, number];
  readonly bytes: [number, number, number];
  keptBytes: number;
}

/** Digits that a run keeps of what was measured or shared out: far more than are shown. */
const short = (value: number): number => Number(value.toPrecision(6));
const shorter = ([forward, backward, optimizer]: ByPhase): ByPhase => [
  short(forward),
  short(backward),
  short(optimizer),
];

/** Cost per line within each module. */
class Parts {
  readonly #sums = new Map<string, PartSum>();

  add(place: string, module: string, origin: InstructionOrigin, ms: number, share: number): void {
    const key = `${place}\n${module}`;
    const sum = this.#sums.get(key) ?? { ms: [0, 0, 0], flops: [0, 0, 0], bytes: [0, 0, 0], keptBytes: 0 };
    this.#sums.set(key, sum);
    const phase = PHASE_INDEX[origin.phase];
    sum.ms[phase] += ms * share;
    sum.flops[phase] += origin.flops * share;
    sum.bytes[phase] += origin.bytes * share;
    sum.keptBytes += origin.keptBytes * share;
  }

  costs(fileOf: (file: string) => string): PartCost[] {
    return [...this.#sums].map(([key, { ms, flops, bytes, keptBytes }]) => {
      const [place = '', module = ''] = key.split('\n');
      const costs = { ms: shorter(ms), flops: shorter(flops), bytes: shorter(bytes) };
      return { module, ...placed(place, fileOf), ...costs, keptBytes: Math.round(keptBytes) };
    });
  }
}

/** File and line of a key of `byLine`. */
function placed(key: string, fileOf: (file: string) => string): { file: string; line: number } {
  const space = key.indexOf(' ');
  const file = key.slice(space + 1);
  return { file: file === '' ? '' : fileOf(file), line: Number(key.slice(0, space)) };
}

/**
 * Time per line, per module and per line within a module, of one step. The lines add up to the sum of `instructionNs`; what belongs to no line is
 * line 0 of the file `''` and the module `optimizer`.
 * @param fileOf makes the path a report names of a path in the graph.
 */
export function attribute(
  origins: readonly InstructionOrigin[],
  instructionNs: ArrayLike<number>,
  tables: SourceTables,
  fileOf: (file: string) => string,
): { lines: LineCost[]; modules: ModuleCost[]; parts: PartCost[] } {
  const byLine = new Map<string, Sum>();
  const byModule = new Map<string, Sum>();
  const both = new Parts();
  origins.forEach((origin, index) => {
    const ms = (instructionNs[index] ?? 0) / 1e6;
    const parts = origin.parts.length > 0 ? origin.parts : [{ stack: -1, scope: -1, share: 1 }];
    for (const { stack, scope, share } of parts) {
      const place = placeOf(tables, stack);
      const key = place === null ? '0 ' : `${place.line} ${place.file}`;
      add(byLine, key, origin, ms, share);
      const module = origin.phase === 'optimizer' ? 'optimizer' : (tables.scopes[scope] ?? '');
      add(byModule, module, origin, ms, share);
      both.add(key, module, origin, ms, share);
    }
  });
  const total = [...byLine.values()].reduce(
    (sum, line) => sum + line.forwardMs + line.backwardMs + line.optimizerMs,
    0,
  );
  const lines = [...byLine].map(([key, sum]): LineCost => {
    const share = total > 0 ? (sum.forwardMs + sum.backwardMs + sum.optimizerMs) / total : 0;
    return { ...placed(key, fileOf), ...sum, share };
  });
  const modules = [...byModule].map(([module, sum]): ModuleCost => ({ module, ...sum }));
  return {
    lines: lines.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line)),
    modules,
    parts: both.costs(fileOf),
  };
}
