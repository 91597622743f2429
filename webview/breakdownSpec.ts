/** Where a step's time, FLOPs and bytes go: by module tree and by line. Pure functions of the report. */
import { modelLabels } from '../extension/shared/modelLabels.js';
import type { BreakdownPhase, BreakdownQuantity, View } from '../extension/shared/protocol.js';
import type { ByPhase, PartCost, Report, TimingPoint } from '../extension/shared/report.js';
import { bytes, flops, milliseconds, percent } from '../extension/shared/units.js';
import { number } from './columns.js';
import { lineName } from './lineTable.js';
import type { Column } from './table.js';

export const PHASE_LABELS: Readonly<Record<BreakdownPhase, string>> = {
  step: 'Whole step',
  both: 'Forward and backward',
  forward: 'Forward',
  backward: 'Backward',
};

export const QUANTITY_LABELS: Readonly<Record<BreakdownQuantity, string>> = {
  time: 'Time',
  flops: 'FLOPs',
  bytes: 'Memory traffic',
  kept: 'Kept for the backward pass',
};

export const QUANTITY_FORMATS: Readonly<Record<BreakdownQuantity, (value: number) => string>> = {
  time: milliseconds,
  flops,
  bytes,
  kept: bytes,
};

export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A bar: a module with what it calls, or a line within a module. */
export interface Block {
  /** Path of the bar, unlike that of any other. */
  readonly key: string;
  readonly kind: 'module' | 'line';
  readonly name: string;
  readonly value: number;
  /** Of the whole, 0..1. */
  readonly share: number;
  /** Largest first. */
  readonly children: readonly Block[];
  /** The line itself, or the module's costliest one; `null` for work that belongs to no line. */
  readonly place: Place | null;
}

/** Timings that say where the time went. */
const profiled = ({ timing }: Report): TimingPoint[] =>
  timing.filter(({ lines, parts }) => lines.length > 0 || (parts?.length ?? 0) > 0);

/** The measurement a view shows: the chosen model and context, else the first model at its largest context. */
export function shownPoint(report: Report, view: View): TimingPoint | null {
  const measured = profiled(report);
  const labels = modelLabels(report).filter((label) => measured.some(({ model }) => model === label));
  const model = labels.includes(view.breakdownModel) ? view.breakdownModel : labels[0];
  const points = measured.filter((point) => point.model === model).sort((a, b) => a.context - b.context);
  return points.find(({ context }) => context === view.breakdownContext) ?? points.at(-1) ?? null;
}

/** Models and contexts that can be chosen. */
export function breakdownChoices(report: Report, model: string): { models: string[]; contexts: number[] } {
  const measured = profiled(report);
  return {
    models: modelLabels(report).filter((label) => measured.some((point) => point.model === label)),
    contexts: measured
      .filter((point) => point.model === model)
      .map(({ context }) => context)
      .sort((a, b) => a - b),
  };
}

/** What a part counts for: what is kept has no phases. */
export function amountOf(part: PartCost, phase: BreakdownPhase, quantity: BreakdownQuantity): number {
  if (quantity === 'kept') return part.keptBytes;
  const [forward, backward, optimizer]: ByPhase = quantity === 'time' ? part.ms : part[quantity];
  switch (phase) {
    case 'step':
      return forward + backward + optimizer;
    case 'both':
      return forward + backward;
    case 'forward':
      return forward;
    case 'backward':
      return backward;
  }
}

interface Node {
  own: number;
  readonly modules: Map<string, Node>;
  readonly lines: Map<string, { place: Place | null; value: number }>;
}

const emptyNode = (): Node => ({ own: 0, modules: new Map(), lines: new Map() });

export interface BreakdownChoice {
  readonly phase: BreakdownPhase;
  readonly quantity: BreakdownQuantity;
  /** Layers of a list stand together, as `blocks × 12`. */
  readonly merge: boolean;
}

/** The bars of a model: modules by their paths, below each its lines. Bars without a value are left out. */
export function breakdownTree(model: string, parts: readonly PartCost[], choice: BreakdownChoice): Block {
  const root = emptyNode();
  for (const part of named(parts, choice.merge)) {
    const value = amountOf(part, choice.phase, choice.quantity);
    if (!(value > 0)) continue;
    let node = root;
    node.own += value;
    for (const name of part.module === '' ? [] : part.module.split('.')) {
      const next = node.modules.get(name) ?? emptyNode();
      node.modules.set(name, next);
      next.own += value;
      node = next;
    }
    if (part.file === '') continue;
    const line = lineName(part);
    const known = node.lines.get(line)?.value ?? 0;
    node.lines.set(line, { place: { file: part.file, line: part.line }, value: known + value });
  }
  return blockOf('', model, root, root.own);
}

function blockOf(path: string, name: string, node: Node, whole: number): Block {
  const share = (value: number): number => (whole > 0 ? value / whole : 0);
  const children: Block[] = [
    ...[...node.modules].map(([child, inner]) =>
      blockOf(path === '' ? child : `${path}.${child}`, child, inner, whole),
    ),
    ...[...node.lines].map(([line, { place, value }]): Block => ({
      key: `${path} ${line}`,
      kind: 'line',
      name: line,
      value,
      share: share(value),
      children: [],
      place,
    })),
  ].sort((a, b) => b.value - a.value);
  const place = costliest(children);
  return { key: path, kind: 'module', name, value: node.own, share: share(node.own), children, place };
}

function costliest(children: readonly Block[]): Place | null {
  let best: Block | null = null;
  const visit = (block: Block): void => {
    if (block.kind === 'line' && (best === null || block.value > best.value)) best = block;
    block.children.forEach(visit);
  };
  children.forEach(visit);
  return (best as Block | null)?.place ?? null;
}

const isNumber = (segment: string): boolean => /^\d+$/.test(segment);

/** Number of layers of each list of modules, whose layers have modules of their own: `blocks` -> 12. */
function layersOf(parts: readonly PartCost[]): Map<string, number> {
  const found = new Map<string, Set<string>>();
  const deep = new Set<string>();
  for (const { module } of parts) {
    const segments = module.split('.');
    for (const [index, segment] of segments.entries()) {
      if (index === 0 || !isNumber(segment)) continue;
      const list = starred(segments.slice(0, index));
      found.set(list, (found.get(list) ?? new Set()).add(segment));
      if (index < segments.length - 1) deep.add(list);
    }
  }
  return new Map(
    [...found].flatMap(([list, layers]) => (deep.has(list) && layers.size > 1 ? [[list, layers.size]] : [])),
  );
}

const starred = (segments: readonly string[]): string =>
  segments.map((segment) => (isNumber(segment) ? '*' : segment)).join('.');

/** Parts as they are shown: with `merge`, `blocks.3.attention` is `blocks × 12.attention`. */
function named(parts: readonly PartCost[], merge: boolean): readonly PartCost[] {
  if (!merge) return parts;
  const layers = layersOf(parts);
  return parts.map((part) => {
    const segments = part.module.split('.');
    const shown = segments.flatMap((segment, index) => {
      const count = layers.get(starred(segments.slice(0, index + 1)));
      const listed = isNumber(segment) && layers.has(starred(segments.slice(0, index)));
      return listed ? [] : [count === undefined ? segment : `${segment} × ${count}`];
    });
    return { ...part, module: shown.join('.') };
  });
}

/** Lines with what they cost in all modules, largest first. */
export function breakdownLines(parts: readonly PartCost[], choice: BreakdownChoice): Block[] {
  const sums = new Map<string, { place: Place | null; name: string; value: number }>();
  for (const part of parts) {
    const value = amountOf(part, choice.phase, choice.quantity);
    if (!(value > 0)) continue;
    const key = `${part.line} ${part.file}`;
    const known = sums.get(key)?.value ?? 0;
    const place = part.file === '' ? null : { file: part.file, line: part.line };
    sums.set(key, { place, name: lineName(part), value: known + value });
  }
  const whole = [...sums.values()].reduce((sum, { value }) => sum + value, 0);
  return [...sums]
    .map(([key, { place, name, value }]): Block => {
      return { key, kind: 'line', name, value, share: value / whole, children: [], place };
    })
    .sort((a, b) => b.value - a.value);
}

/** `attention, 532 ms, 56.2%`: what a bar says of itself. */
export function blockText({ name, value, share }: Block, quantity: BreakdownQuantity): string {
  return `${name}, ${QUANTITY_FORMATS[quantity](value)}, ${percent(share)}`;
}

export interface ModuleRow {
  readonly module: string;
  readonly parts: readonly PartCost[];
}

/** Every module with all that it calls, in the order of the tree. */
export function moduleRows(all: readonly PartCost[], merge: boolean): ModuleRow[] {
  const parts = named(all, merge);
  const paths = new Set<string>();
  for (const { module } of parts) {
    const segments = module.split('.');
    segments.forEach((_, index) => paths.add(segments.slice(0, index + 1).join('.')));
  }
  paths.add('');
  return [...paths].sort(byPath).map((module) => ({
    module,
    parts: parts.filter((part) => within(part.module, module)),
  }));
}

const byPath = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });
const within = (module: string, of: string): boolean =>
  of === '' || module === of || module.startsWith(`${of}.`);

const sumOf = ({ parts }: ModuleRow, of: (part: PartCost) => number): number =>
  parts.reduce((sum, part) => sum + of(part), 0);

const total = ([forward, backward, optimizer]: ByPhase): number => forward + backward + optimizer;

export const MODULE_COLUMNS: readonly Column<ModuleRow>[] = [
  { title: 'Module', text: ({ module }) => (module === '' ? 'whole model' : module), words: true },
  { title: 'Forward', ...number((row) => sumOf(row, ({ ms }) => ms[0]), milliseconds, 'ms') },
  { title: 'Backward', ...number((row) => sumOf(row, ({ ms }) => ms[1]), milliseconds, 'ms') },
  { title: 'FLOPs', ...number((row) => sumOf(row, (part) => total(part.flops)), flops) },
  { title: 'Memory traffic', ...number((row) => sumOf(row, (part) => total(part.bytes)), bytes, 'bytes') },
  {
    title: 'Kept for backward',
    ...number((row) => sumOf(row, ({ keptBytes }) => keptBytes), bytes, 'bytes'),
    hint: 'Memory that results of the forward pass hold until the backward pass has read them',
  },
];
