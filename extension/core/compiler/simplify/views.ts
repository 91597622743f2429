/** Simplifications of views: merging them, and looking through them to the pieces they take. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, Node, TensorType, ValueId } from '../graph.js';
import { dimOf, integers, number } from '../ops/operation.js';
import { range, sameShape } from '../shapes.js';
import type { Rule } from './rule.js';

interface Region {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly sizes: readonly number[];
}

/** First and last position taken along a dim, whichever way it runs. */
function extent({ starts, steps, sizes }: Region, dim: number): [number, number] {
  const last = starts[dim]! + steps[dim]! * (sizes[dim]! - 1);
  return [Math.min(starts[dim]!, last), Math.max(starts[dim]!, last)];
}

function take(b: GraphBuilder, x: ValueId, { starts, steps, sizes }: Region): ValueId {
  return b.slice(x, starts, sizes, steps);
}

/** Whether views of a concatenation are at hand. */
function isJoined(b: GraphBuilder, x: ValueId): boolean {
  let node = b.producer(x);
  while (['reshape', 'permute', 'expand', 'slice'].includes(node.op)) node = b.producer(node.inputs[0]!);
  return node.op === 'cat';
}

const sliceOf: Partial<Record<string, (b: GraphBuilder, node: Node, region: Region) => ValueId | undefined>> =
  {
    slice: (b, node, { starts, steps, sizes }) => {
      const outer = { starts: integers(node.attrs, 'starts'), steps: integers(node.attrs, 'steps') };
      return take(b, node.inputs[0]!, {
        starts: starts.map((start, i) => outer.starts[i]! + start * outer.steps[i]!),
        steps: steps.map((step, i) => step * outer.steps[i]!),
        sizes,
      });
    },
    cat: (b, node, region) => {
      const dim = dimOf(node.attrs, region.sizes.length);
      if (region.steps[dim] !== 1 && region.sizes[dim] !== 1) return undefined;
      const [first, last] = extent(region, dim);
      let start = 0;
      const parts: ValueId[] = [];
      for (const part of node.inputs) {
        const size = b.shape(part)[dim]!;
        const [from, to] = [Math.max(first, start) - start, Math.min(last + 1, start + size) - start];
        if (from < to) {
          const sizes = region.sizes.map((n, i) => (i === dim ? to - from : n));
          parts.push(
            take(b, part, { ...region, starts: region.starts.map((s, i) => (i === dim ? from : s)), sizes }),
          );
        }
        start += size;
      }
      return b.cat(parts, dim);
    },
    pad: (b, node, region) => {
      const low = integers(node.attrs, 'low');
      const inner = b.shape(node.inputs[0]!);
      const dims = range(0, low.length);
      const outside = dims.some((d) => {
        const [first, last] = extent(region, d);
        return last < low[d]! || first >= low[d]! + inner[d]!;
      });
      const dtype = b.type(node.inputs[0]!).dtype;
      if (outside) return b.full(number(node.attrs, 'value', 0), { dtype, shape: region.sizes });
      const inside = dims.every((d) => {
        const [first, last] = extent(region, d);
        return first >= low[d]! && last < low[d]! + inner[d]!;
      });
      if (inside)
        return take(b, node.inputs[0]!, { ...region, starts: region.starts.map((s, i) => s - low[i]!) });
      if (region.steps.some((step) => step !== 1)) return undefined;
      const from = region.starts.map((s, i) => Math.max(0, s - low[i]!));
      const to = dims.map((d) => Math.min(inner[d]!, region.starts[d]! + region.sizes[d]! - low[d]!));
      const core = b.slice(
        node.inputs[0]!,
        from,
        to.map((end, i) => end - from[i]!),
      );
      const before = dims.map((d) => Math.max(0, low[d]! - region.starts[d]!));
      return b.pad(
        core,
        before,
        dims.map((d) => region.sizes[d]! - before[d]! - (to[d]! - from[d]!)),
        number(node.attrs, 'value', 0),
      );
    },
    slice_scatter: (b, node, region) => {
      const [base, src] = node.inputs as [ValueId, ValueId];
      const written: Region = {
        starts: integers(node.attrs, 'starts'),
        steps: integers(node.attrs, 'steps'),
        sizes: b.shape(src),
      };
      const dims = range(0, region.sizes.length);
      const apart = dims.some((d) => {
        const [first, last] = extent(region, d);
        const [from, to] = extent(written, d);
        return last < from || first > to;
      });
      if (apart) return take(b, base, region);
      if (written.steps.some((step, d) => step !== 1 && written.sizes[d] !== 1)) return undefined;
      const within = dims.every((d) => {
        const [first, last] = extent(region, d);
        const [from, to] = extent(written, d);
        return first >= from && last <= to;
      });
      if (!within) return undefined;
      return take(b, src, { ...region, starts: region.starts.map((s, d) => s - extent(written, d)[0]) });
    },
    expand: (b, node, region) => {
      const x = node.inputs[0]!;
      const shape = b.shape(x);
      const extra = region.sizes.length - shape.length;
      const repeated = (i: number): boolean => shape[i] === 1;
      const sizes = shape.map((_, i) => (repeated(i) ? 1 : region.sizes[i + extra]!));
      const part = b.slice(
        x,
        shape.map((_, i) => (repeated(i) ? 0 : region.starts[i + extra]!)),
        sizes,
        shape.map((_, i) => (repeated(i) ? 1 : region.steps[i + extra]!)),
      );
      return b.expand(part, region.sizes);
    },
    /** The first positions of a convolution are one that stops earlier: how causal ones are written. */
    conv1d: (b, node, { starts, steps, sizes }) => {
      const { attrs } = node;
      const whole = b.shape(node.outputs[0]!);
      const first = starts.every((start) => start === 0) && steps.every((step) => step === 1);
      if (!first || sizes[0] !== whole[0] || sizes[1] !== whole[1]) return undefined;
      const end = number(attrs, 'end', number(attrs, 'padding', 0));
      const less = (whole[2]! - sizes[2]!) * number(attrs, 'stride', 1);
      return b.one('conv1d', node.inputs, { ...attrs, end: end - less });
    },
    /** One part of what was joined along the last dim, as the real part of a complex tensor is: seen before the reshape. */
    reshape: (b, node, region) => {
      const [x] = node.inputs as [ValueId];
      const [before, after] = [b.shape(x), b.shape(node.outputs[0]!)];
      const [from, last] = [before.length - 1, after.length - 1];
      if (before.length === 0 || before[from] !== after[last] || region.sizes[last] === after[last])
        return undefined;
      if (!isJoined(b, x)) return undefined;
      const only = <T>(shape: readonly T[], value: T, rest: (size: T) => T): T[] =>
        shape.map((size, d) => (d === shape.length - 1 ? value : rest(size)));
      const part = take(b, x, {
        starts: only(before, region.starts[last]!, () => 0),
        steps: only(before, region.steps[last]!, () => 1),
        sizes: only(before, region.sizes[last]!, (size) => size),
      });
      const seen = b.reshape(
        part,
        only(after, region.sizes[last]!, (size) => size),
      );
      return take(b, seen, {
        starts: region.starts.with(last, 0),
        steps: region.steps.with(last, 1),
        sizes: region.sizes,
      });
    },
    /** Channels last: the cut goes through to the convolution, or to what was joined. */
    permute: (b, node, region) => {
      const [x] = node.inputs as [ValueId];
      if (b.producer(x).op !== 'conv1d' && !isJoined(b, x)) return undefined;
      const dims = integers(node.attrs, 'dims');
      const inner = (values: readonly number[]): number[] =>
        dims.reduce((moved, dim, i) => moved.with(dim, values[i]!), [...values]);
      const { starts, steps, sizes } = region;
      return b.permute(take(b, x, { starts: inner(starts), steps: inner(steps), sizes: inner(sizes) }), dims);
    },
    arange: (b, node, { starts, steps, sizes }) => {
      const step = number(node.attrs, 'step');
      const start = number(node.attrs, 'start') + starts[0]! * step;
      return b.one(
        'arange',
        [],
        { start, step: step * steps[0]! },
        { dtype: b.type(node.outputs[0]!).dtype, shape: sizes },
      );
    },
  };

/** Whether a reordering moves only dims of size 1, so that the elements keep their order. */
function keepsOrder(shape: readonly number[], dims: readonly number[]): boolean {
  const moved = dims.filter((d) => shape[d] !== 1);
  return moved.every((d, i) => i === 0 || moved[i - 1]! < d);
}

const fullOf = (b: GraphBuilder, x: ValueId, type: TensorType): ValueId | undefined => {
  const value = b.uniform(x);
  return value === undefined ? undefined : b.full(value, type);
};

/** Consecutive parts that are neighbouring slices of one tensor become one slice. */
function mergedParts(b: GraphBuilder, parts: readonly ValueId[], dim: number): ValueId[] {
  const out: ValueId[] = [];
  for (const part of parts) {
    const previous = out.at(-1);
    const [left, right] = [previous === undefined ? undefined : b.producer(previous), b.producer(part)];
    const joined = left?.op === 'slice' && right.op === 'slice' && neighbours(b, left, right, dim);
    if (joined) {
      const sizes = b.shape(previous!);
      out[out.length - 1] = b.slice(
        left.inputs[0]!,
        integers(left.attrs, 'starts'),
        sizes.map((n, i) => (i === dim ? n + b.shape(part)[dim]! : n)),
      );
    } else out.push(part);
  }
  return out;
}

function neighbours(b: GraphBuilder, left: Node, right: Node, dim: number): boolean {
  if (left.inputs[0] !== right.inputs[0]) return false;
  const [from, to] = [integers(left.attrs, 'starts'), integers(right.attrs, 'starts')];
  const steps = [...integers(left.attrs, 'steps'), ...integers(right.attrs, 'steps')];
  const size = b.shape(left.outputs[0]!)[dim]!;
  return steps.every((s) => s === 1) && from.every((s, i) => to[i] === (i === dim ? s + size : s));
}

export const viewRules: Record<string, Rule> = {
  reshape: (b, [x], _attrs, type) => {
    if (sameShape(b.shape(x!), type.shape)) return x;
    const inner = b.producer(x!);
    return inner.op === 'reshape' ? b.reshape(inner.inputs[0]!, type.shape) : fullOf(b, x!, type);
  },
  permute: (b, [x], attrs, type) => {
    const dims = integers(attrs, 'dims');
    if (dims.every((d, i) => d === i)) return x;
    const inner = b.producer(x!);
    if (inner.op === 'permute') {
      const before = integers(inner.attrs, 'dims');
      return b.permute(
        inner.inputs[0]!,
        dims.map((d) => before[d]!),
      );
    }
    return keepsOrder(b.shape(x!), dims) ? b.reshape(x!, type.shape) : fullOf(b, x!, type);
  },
  expand: (b, [x], _attrs, type) => {
    if (sameShape(b.shape(x!), type.shape)) return x;
    const inner = b.producer(x!);
    return inner.op === 'expand' ? b.expand(inner.inputs[0]!, type.shape) : fullOf(b, x!, type);
  },
  slice: (b, [x], attrs, type) => {
    const region = { starts: integers(attrs, 'starts'), steps: integers(attrs, 'steps'), sizes: type.shape };
    if (sameShape(b.shape(x!), type.shape) && region.steps.every((s, i) => s === 1 || type.shape[i] === 1))
      return x;
    const full = fullOf(b, x!, type);
    if (full !== undefined) return full;
    const inner = b.producer(x!);
    return sliceOf[inner.op]?.(b, inner, region);
  },
  cat: (b, parts, attrs: Attrs, type) => {
    const dim = dimOf(attrs, type.shape.length);
    const filled = parts.filter((part) => b.shape(part)[dim]! > 0);
    if (filled.length === 0) return parts[0];
    const known = b.uniform(filled[0]!);
    if (known !== undefined && filled.every((part) => b.uniform(part) === known)) return b.full(known, type);
    const merged = mergedParts(b, filled, dim);
    return merged.length < parts.length ? b.cat(merged, dim) : undefined;
  },
  pad: (b, [x], attrs, type) => {
    const [low, high, value] = [integers(attrs, 'low'), integers(attrs, 'high'), number(attrs, 'value', 0)];
    if ([...low, ...high].every((n) => n === 0)) return x;
    if (b.uniform(x!) === value) return b.full(value, type);
    const inner = b.producer(x!);
    if (inner.op !== 'pad' || number(inner.attrs, 'value', 0) !== value) return undefined;
    const [innerLow, innerHigh] = [integers(inner.attrs, 'low'), integers(inner.attrs, 'high')];
    return b.pad(
      inner.inputs[0]!,
      low.map((n, i) => n + innerLow[i]!),
      high.map((n, i) => n + innerHigh[i]!),
      value,
    );
  },
};
