/** Simplifications of writes: chains of slice assignments that fill a tensor become one `cat`. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, ValueId } from '../graph.js';
import { integers } from '../ops/operation.js';
import { sameShape } from '../shapes.js';
import type { Rule } from './rule.js';

interface Write {
  readonly src: ValueId;
  readonly low: number;
  /** Exclusive. */
  readonly high: number;
}

/** The one dim in which a write is narrower than its base, when it is contiguous; -1 when there is no such dim. */
function narrowDim(b: GraphBuilder, base: ValueId, src: ValueId, attrs: Attrs): number {
  const [outer, inner] = [b.shape(base), b.shape(src)];
  if (integers(attrs, 'steps').some((step, i) => step !== 1 && inner[i] !== 1)) return -1;
  const narrow = outer.map((_, i) => i).filter((i) => outer[i] !== inner[i]);
  return narrow.length === 1 ? narrow[0]! : -1;
}

/** Walks back through writes along the same dim; gives the parts when they fill the base without overlapping. */
function chain(b: GraphBuilder, inputs: readonly ValueId[], attrs: Attrs, dim: number): Write[] | null {
  const writes: Write[] = [];
  const size = b.shape(inputs[0]!)[dim]!;
  let covered = 0;
  let [base, src] = inputs as [ValueId, ValueId];
  let at = attrs;
  for (;;) {
    if (narrowDim(b, base, src, at) !== dim) return null;
    const low = integers(at, 'starts')[dim]!;
    writes.push({ src, low, high: low + b.shape(src)[dim]! });
    covered += b.shape(src)[dim]!;
    if (covered >= size) break;
    const node = b.producer(base);
    if (node.op !== 'slice_scatter') return null;
    [base, src] = node.inputs as [ValueId, ValueId];
    at = node.attrs;
  }
  writes.sort((x, y) => x.low - y.low);
  let end = 0;
  for (const { low, high } of writes) {
    if (low !== end) return null;
    end = high;
  }
  return end === size ? writes : null;
}

export const scatterRules: Record<string, Rule> = {
  slice_scatter: (b, inputs, attrs, type) => {
    const [base, src] = inputs as [ValueId, ValueId];
    const starts = integers(attrs, 'starts');
    const contiguous = integers(attrs, 'steps').every((step, i) => step === 1 || b.shape(src)[i] === 1);
    if (sameShape(b.shape(src), type.shape) && contiguous) return src;
    const filler = b.uniform(base);
    if (filler !== undefined && b.uniform(src) === filler) return base;
    const dim = narrowDim(b, base, src, attrs);
    // Only a write at either end can be the last one to fill the base: a chain is walked at most twice.
    const atEnd = dim >= 0 && (starts[dim] === 0 || starts[dim]! + b.shape(src)[dim]! === type.shape[dim]);
    const writes = atEnd ? chain(b, inputs, attrs, dim) : null;
    return writes === null
      ? undefined
      : b.cat(
          writes.map((write) => write.src),
          dim,
        );
  },
};
