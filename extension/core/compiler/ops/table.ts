/** Every operation by name; adding one is adding a row to its family's file. */
import { attentionRows } from './attention.js';
import { cachedAttentionRows } from './cachedAttention.js';
import { convolutionRows } from './convolution.js';
import { fourierRows } from './fourier.js';
import { glaRows } from './gla.js';
import { indexingRows } from './indexing.js';
import { lstmRows } from './lstm.js';
import { lossRows } from './losses.js';
import { normRows } from './norms.js';
import { GraphError, type Operation } from './operation.js';
import { pointwiseRows } from './pointwise.js';
import { productRows } from './products.js';
import { randomRows } from './random.js';
import { recurrenceRows } from './recurrences.js';
import { reductionRows } from './reductions.js';
import { selectiveScanRows } from './selectiveScan.js';
import { shortConvRows } from './shortConv.js';
import { viewRows } from './views.js';
import { weightedAttentionRows } from './weightedAttention.js';
import { wkv4Rows } from './wkv4.js';

const families = [
  viewRows,
  pointwiseRows,
  reductionRows,
  productRows,
  indexingRows,
  normRows,
  lossRows,
  attentionRows,
  cachedAttentionRows,
  weightedAttentionRows,
  convolutionRows,
  recurrenceRows,
  glaRows,
  wkv4Rows,
  selectiveScanRows,
  shortConvRows,
  lstmRows,
  fourierRows,
  randomRows,
];

const table = new Map<string, Operation>(
  families.flatMap((rows) => Object.entries(rows).map(([name, row]) => [name, { name, ...row }] as const)),
);

/** The row of an operation; throws when there is none. */
export function operation(name: string): Operation {
  const row = table.get(name);
  if (!row) throw new GraphError(`there is no operation ${name}`);
  return row;
}

export function operationNames(): string[] {
  return [...table.keys()];
}
