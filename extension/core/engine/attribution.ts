/** Adds the time of profiled instructions up per source line and per module. */
import type { LineCost, ModuleCost } from '../../shared/report.js';
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

/**
 * Time per line and per module of one step. The lines add up to the sum of `instructionNs`; what belongs to no line is
 * line 0 of the file `''` and the module `optimizer`.
 * @param fileOf makes the path a report names of a path in the graph.
 */
export function attribute(
  origins: readonly InstructionOrigin[],
  instructionNs: ArrayLike<number>,
  tables: SourceTables,
  fileOf: (file: string) => string,
): { lines: LineCost[]; modules: ModuleCost[] } {
  const byLine = new Map<string, Sum>();
  const byModule = new Map<string, Sum>();
  origins.forEach((origin, index) => {
    const ms = (instructionNs[index] ?? 0) / 1e6;
    const parts = origin.parts.length > 0 ? origin.parts : [{ stack: -1, scope: -1, share: 1 }];
    for (const { stack, scope, share } of parts) {
      const place = placeOf(tables, stack);
      add(byLine, place === null ? '0 ' : `${place.line} ${place.file}`, origin, ms, share);
      const module = origin.phase === 'optimizer' ? 'optimizer' : (tables.scopes[scope] ?? '');
      add(byModule, module, origin, ms, share);
    }
  });
  const total = [...byLine.values()].reduce(
    (sum, line) => sum + line.forwardMs + line.backwardMs + line.optimizerMs,
    0,
  );
  const lines = [...byLine].map(([key, sum]): LineCost => {
    const space = key.indexOf(' ');
    const file = key.slice(space + 1);
    const share = total > 0 ? (sum.forwardMs + sum.backwardMs + sum.optimizerMs) / total : 0;
    return { file: file === '' ? '' : fileOf(file), line: Number(key.slice(0, space)), ...sum, share };
  });
  const modules = [...byModule].map(([module, sum]): ModuleCost => ({ module, ...sum }));
  return {
    lines: lines.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line)),
    modules,
  };
}
