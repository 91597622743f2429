/**
 * What the results panel and the extension host say to each other. The host owns the truth: the panel can be rebuilt
 * from one `report` message at any time. Both sides validate what they receive; unknown messages are refused.
 */
import { LOSS_COLUMN_NAMES, type LossColumns } from './lossColumns.js';
import type { Report } from './report.js';

export const TABS = ['timing', 'decode', 'loss', 'eval', 'breakdown', 'environment'] as const;
export type Tab = (typeof TABS)[number];
export const TIMING_METRICS = [
  'step',
  'tokensPerSecond',
  'perThousand',
  'phases',
  'forward',
  'backward',
  'peakBytes',
] as const;
export type TimingMetric = (typeof TIMING_METRICS)[number];
export const DECODE_METRICS = [
  'token',
  'tokensPerSecond',
  'stateBytes',
  'prompt',
  'promptTokensPerSecond',
] as const;
export type DecodeMetric = (typeof DECODE_METRICS)[number];
export const LOSS_AXES = ['tokens', 'seconds', 'flops', 'step'] as const;
export type LossAxis = (typeof LOSS_AXES)[number];
export const LOSS_UNITS = ['nats', 'bitsPerByte'] as const;
export type LossUnit = (typeof LOSS_UNITS)[number];
/** Steps that a moving average reaches back over; 1 is none. */
export const LOSS_SMOOTHINGS = ['1', '10', '100', '1000'] as const;
export type LossSmoothing = (typeof LOSS_SMOOTHINGS)[number];

export const BREAKDOWN_PHASES = ['step', 'both', 'forward', 'backward'] as const;
export type BreakdownPhase = (typeof BREAKDOWN_PHASES)[number];
export const BREAKDOWN_QUANTITIES = ['time', 'flops', 'bytes', 'kept'] as const;
export type BreakdownQuantity = (typeof BREAKDOWN_QUANTITIES)[number];

/** What the reader has chosen to look at. */
export interface View {
  readonly tab: Tab;
  readonly timingMetric: TimingMetric;
  readonly timingLogX: boolean;
  readonly timingLogY: boolean;
  readonly decodeMetric: DecodeMetric;
  readonly decodeLogX: boolean;
  readonly decodeLogY: boolean;
  readonly lossAxis: LossAxis;
  readonly lossUnit: LossUnit;
  readonly lossSmoothing: LossSmoothing;
  /** A curve for every seed instead of their mean and band. */
  readonly lossSeeds: boolean;
  readonly lossLogX: boolean;
  readonly lossLogY: boolean;
  /** One option for all charts of the tab. */
  readonly evalLogX: boolean;
  /** Labels of the two models that are compared item by item; empty: the first two. */
  readonly evalFirst: string;
  readonly evalSecond: string;
  /** Label of a model; the first where the run has none of that name. */
  readonly breakdownModel: string;
  /** The largest where the model was not measured at this one. */
  readonly breakdownContext: number;
  readonly breakdownPhase: BreakdownPhase;
  readonly breakdownQuantity: BreakdownQuantity;
  /** Layers of a list stand together. */
  readonly breakdownMerge: boolean;
  /** The line that is pointed out; `''` and 0 for none. */
  readonly breakdownFile: string;
  readonly breakdownLine: number;
}

export const DEFAULT_VIEW: View = {
  tab: 'timing',
  timingMetric: 'step',
  timingLogX: true,
  timingLogY: true,
  decodeMetric: 'token',
  decodeLogX: true,
  decodeLogY: false,
  lossAxis: 'tokens',
  lossUnit: 'nats',
  lossSmoothing: '1',
  lossSeeds: false,
  lossLogX: false,
  lossLogY: false,
  evalLogX: false,
  evalFirst: '',
  evalSecond: '',
  breakdownModel: '',
  breakdownContext: 0,
  breakdownPhase: 'step',
  breakdownQuantity: 'time',
  breakdownMerge: true,
  breakdownFile: '',
  breakdownLine: 0,
};

/** Host to panel. */
export type HostMessage =
  /**
   * The whole state but for training losses, of which each curve has its last; `folders` name the runs, so that the
   * panel can be restored after a reload.
   */
  | {
      readonly type: 'report';
      readonly folders: readonly string[];
      readonly report: Report;
      readonly view: View;
    }
  /** Training losses of one curve from row `from` on, which the rows before have reached; a few of these follow a report. */
  | {
      readonly type: 'losses';
      readonly id: string;
      readonly curve: string;
      readonly from: number;
      readonly rows: LossColumns;
    }
  /** There is no run to show; `message` says why and what to do. */
  | { readonly type: 'empty'; readonly message: string };

/** Panel to host. */
export type PanelMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'view'; readonly view: View }
  | { readonly type: 'cancel' }
  | { readonly type: 'exportHtml' }
  /** Other runs are to be shown together with this one: ask which. */
  | { readonly type: 'chooseRuns' }
  | { readonly type: 'openLine'; readonly file: string; readonly line: number }
  /** Text for the clipboard. */
  | { readonly type: 'copy'; readonly text: string }
  /** A file that a person saves where they like. */
  | { readonly type: 'save'; readonly file: SavedFile };

/** A chart or its numbers. */
export interface SavedFile {
  readonly kind: 'png' | 'csv';
  /** What it is called unless a person says otherwise: no path, and the suffix of its kind. */
  readonly name: string;
  /** The text of a CSV file, Base64 of a PNG. */
  readonly data: string;
}

/** Characters that a page may have copied or saved at once. */
export const MOST_CHARACTERS = 20_000_000;

/** What the panel keeps between reloads of the window. */
export interface PanelState {
  /** Run folders, at least one. */
  readonly folders: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOneOf<T extends string>(value: unknown, choices: readonly T[]): value is T {
  return typeof value === 'string' && choices.some((choice) => choice === value);
}

const isBoolean = (value: unknown): boolean => typeof value === 'boolean';
const isShortText = (value: unknown): boolean => typeof value === 'string' && value.length <= 4096;
const among =
  (choices: readonly string[]) =>
  (value: unknown): boolean =>
    isOneOf(value, choices);

/** What every choice of a view must be. */
const VIEW_FIELDS: Readonly<Record<keyof View, (value: unknown) => boolean>> = {
  tab: among(TABS),
  timingMetric: among(TIMING_METRICS),
  timingLogX: isBoolean,
  timingLogY: isBoolean,
  decodeMetric: among(DECODE_METRICS),
  decodeLogX: isBoolean,
  decodeLogY: isBoolean,
  lossAxis: among(LOSS_AXES),
  lossUnit: among(LOSS_UNITS),
  lossSmoothing: among(LOSS_SMOOTHINGS),
  lossSeeds: isBoolean,
  lossLogX: isBoolean,
  lossLogY: isBoolean,
  evalLogX: isBoolean,
  evalFirst: isShortText,
  evalSecond: isShortText,
  breakdownModel: isShortText,
  breakdownContext: isCount,
  breakdownPhase: among(BREAKDOWN_PHASES),
  breakdownQuantity: among(BREAKDOWN_QUANTITIES),
  breakdownMerge: isBoolean,
  breakdownFile: isShortText,
  breakdownLine: isCount,
};

/** The view a message carries, or `null` when any part of it is not one. */
export function parseView(value: unknown): View | null {
  if (!isFields(value)) return null;
  const fields = Object.entries(VIEW_FIELDS);
  if (!fields.every(([name, fits]) => fits(value[name]))) return null;
  return Object.fromEntries(fields.map(([name]) => [name, value[name]])) as unknown as View;
}

const REPORT_LISTS = [
  'models',
  'timing',
  'control',
  'decode',
  'decodeControl',
  'loss',
  'evals',
  'evalItems',
  'comparisons',
  'crossovers',
  'notes',
  'problems',
] as const;
const STATUSES = ['running', 'done', 'cancelled', 'failed', 'interrupted'] as const;

/** Whether a value has the frame of a report: identity, status and every list. */
export function isReport(value: unknown): value is Report {
  return (
    isFields(value) &&
    typeof value['id'] === 'string' &&
    typeof value['title'] === 'string' &&
    typeof value['startedAt'] === 'number' &&
    isOneOf(value['status'], STATUSES) &&
    REPORT_LISTS.every((list) => Array.isArray(value[list]))
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Equally long columns of numbers. */
function isColumns(value: unknown): value is LossColumns {
  if (!isFields(value)) return false;
  const columns = LOSS_COLUMN_NAMES.map((name) => value[name]);
  const [first] = columns;
  return columns.every(
    (column) =>
      column instanceof Float64Array && first instanceof Float64Array && column.length === first.length,
  );
}

/** A message from the host, or `null` when it is not one. */
export function parseHostMessage(value: unknown): HostMessage | null {
  if (!isFields(value)) return null;
  const { type, folders, report, message } = value;
  const view = parseView(value['view']);
  if (type === 'report' && isFolders(folders) && isReport(report) && view !== null)
    return { type, folders, report, view };
  const { id, curve, from, rows } = value;
  if (type === 'losses' && typeof id === 'string' && typeof curve === 'string')
    return isCount(from) && isColumns(rows) ? { type, id, curve, from, rows } : null;
  if (type === 'empty' && typeof message === 'string') return { type, message };
  return null;
}

/** A message from the panel, or `null` when it is not one. */
export function parsePanelMessage(value: unknown): PanelMessage | null {
  if (!isFields(value)) return null;
  const { type, file, line } = value;
  if (type === 'ready' || type === 'cancel' || type === 'exportHtml' || type === 'chooseRuns')
    return { type };
  if (type === 'view') {
    const view = parseView(value['view']);
    return view === null ? null : { type, view };
  }
  if (type === 'openLine' && typeof file === 'string' && Number.isSafeInteger(line) && Number(line) >= 1)
    return { type, file, line: Number(line) };
  const { text } = value;
  if (type === 'copy' && typeof text === 'string' && text.length <= MOST_CHARACTERS) return { type, text };
  if (type === 'save') {
    const saved = parseSavedFile(value['file']);
    return saved === null ? null : { type, file: saved };
  }
  return null;
}

/** The first bytes of every PNG, in Base64. */
const PNG_START = 'iVBORw0KGgo';

function parseSavedFile(value: unknown): SavedFile | null {
  if (!isFields(value)) return null;
  const { kind, name, data } = value;
  if (!isOneOf(kind, ['png', 'csv']) || typeof name !== 'string' || typeof data !== 'string') return null;
  if (!isFileName(name) || !name.endsWith(`.${kind}`) || data.length > MOST_CHARACTERS) return null;
  if (kind === 'png' && !(data.startsWith(PNG_START) && /^[A-Za-z0-9+/]*={0,2}$/.test(data))) return null;
  return { kind, name, data };
}

/** A name without a path, a hidden file or a character that a file system refuses. */
function isFileName(name: string): boolean {
  return name.length <= 120 && /^[\p{L}\p{N}][\p{L}\p{N} ,._()+-]*$/u.test(name);
}

/** A name for a file out of words a person chose. */
export function fileNameOf(words: string, kind: SavedFile['kind']): string {
  const safe = words
    .replace(/[^\p{L}\p{N} ,._()+-]+/gu, '-')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .slice(0, 100)
    .trim();
  return `${safe === '' ? 'chart' : safe}.${kind}`;
}

/** Names of folders, at least one. */
function isFolders(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((folder) => typeof folder === 'string');
}

/** What the panel kept, or `null`; panels of before kept one folder. */
export function parsePanelState(value: unknown): PanelState | null {
  if (!isFields(value)) return null;
  const { folder, folders } = value;
  if (isFolders(folders)) return { folders };
  return typeof folder === 'string' ? { folders: [folder] } : null;
}

/** Fails to compile where a case of a union is missing. */
export function never(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}`);
}
