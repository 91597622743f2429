/** Strided views of buffers: how `reshape`, `permute`, `expand` and `slice` cost nothing. Strides count elements. */

export interface View {
  /** Index into the buffer table of the lowering. */
  readonly buffer: number;
  /** First element, counted from the start of the buffer. */
  readonly offset: number;
  readonly shape: readonly number[];
  /** May be 0 (broadcast) or negative (flip). */
  readonly strides: readonly number[];
}

export function product(sizes: readonly number[]): number {
  let total = 1;
  for (const size of sizes) total *= size;
  return total;
}

/** Row-major strides of a shape. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = strides[d + 1]! * Math.max(1, shape[d + 1]!);
  return strides;
}

/** Strides of a buffer whose memory order of dimensions is `order` (outermost first). */
export function orderedStrides(shape: readonly number[], order: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  let step = 1;
  for (let i = order.length - 1; i >= 0; i--) {
    strides[order[i]!] = step;
    step *= Math.max(1, shape[order[i]!]!);
  }
  return strides;
}

/** The same elements in row-major order under another shape, or `null` when that needs a copy. */
export function reshapeView(view: View, shape: readonly number[]): View | null {
  const count = product(view.shape);
  if (count === 0 || count === 1) return { ...view, shape, strides: rowMajor(shape) };
  const sizes: number[] = [];
  const strides: number[] = [];
  for (let d = 0; d < view.shape.length; d++) {
    const size = view.shape[d]!;
    if (size === 1) continue;
    const last = sizes.length - 1;
    if (last >= 0 && strides[last] === view.strides[d]! * size) {
      sizes[last]! *= size;
      strides[last] = view.strides[d]!;
    } else {
      sizes.push(size);
      strides.push(view.strides[d]!);
    }
  }
  const result = new Array<number>(shape.length).fill(0);
  let chunk = sizes.length - 1;
  let left = sizes[chunk]!;
  let step = strides[chunk]!;
  for (let d = shape.length - 1; d >= 0; d--) {
    const size = shape[d]!;
    if (size === 1) {
      result[d] = 0;
      continue;
    }
    if (left === 1 && chunk > 0) {
      chunk--;
      left = sizes[chunk]!;
      step = strides[chunk]!;
    }
    if (left % size !== 0) return null;
    result[d] = step;
    step *= size;
    left /= size;
  }
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] === 1) result[d] = d + 1 < shape.length ? result[d + 1]! * shape[d + 1]! : 1;
  }
  return { ...view, shape, strides: result };
}

export function permuteView(view: View, dims: readonly number[]): View {
  return { ...view, shape: dims.map((d) => view.shape[d]!), strides: dims.map((d) => view.strides[d]!) };
}

/** Broadcasts as NumPy: missing leading dimensions and dimensions of size 1 repeat with stride 0. */
export function expandView(view: View, shape: readonly number[]): View {
  const missing = shape.length - view.shape.length;
  const strides = shape.map((size, d) => {
    const inner = d - missing;
    if (inner < 0) return 0;
    return view.shape[inner] === 1 && size !== 1 ? 0 : view.strides[inner]!;
  });
  return { ...view, shape, strides };
}

/** Takes `shape[d]` elements from `starts[d]` on, `steps[d]` apart. */
export function sliceView(
  view: View,
  starts: readonly number[],
  steps: readonly number[],
  shape: readonly number[],
): View {
  let offset = view.offset;
  const empty = product(shape) === 0;
  const strides = view.strides.map((stride, d) => {
    if (!empty) offset += starts[d]! * stride;
    return stride * steps[d]!;
  });
  return { ...view, offset, shape, strides };
}

/** Inverse of a permutation. */
export function inverseOrder(dims: readonly number[]): number[] {
  const inverse = new Array<number>(dims.length);
  dims.forEach((d, i) => (inverse[d] = i));
  return inverse;
}

export function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, d) => size === b[d]);
}

/** Whether the elements stand one after the other in row-major order. */
export function isRowMajor(view: View): boolean {
  let step = 1;
  for (let d = view.shape.length - 1; d >= 0; d--) {
    if (view.shape[d] !== 1 && view.strides[d] !== step) return false;
    step *= view.shape[d]!;
  }
  return true;
}

/** Whether the last dimension is contiguous. */
export function hasUnitRows(view: View): boolean {
  const last = view.shape.length - 1;
  return last < 0 || view.shape[last] === 1 || view.strides[last] === 1;
}

/** Lowest and one past the highest element touched, counted from the start of the buffer. */
export function extent(view: View): [number, number] {
  let low = view.offset;
  let high = view.offset;
  for (let d = 0; d < view.shape.length; d++) {
    if (view.shape[d] === 0) return [view.offset, view.offset];
    const reach = (view.shape[d]! - 1) * view.strides[d]!;
    if (reach < 0) low += reach;
    else high += reach;
  }
  return [low, high + 1];
}

export function sameView(a: View, b: View): boolean {
  return (
    a.buffer === b.buffer &&
    a.offset === b.offset &&
    sameSizes(a.shape, b.shape) &&
    a.strides.every((stride, d) => stride === b.strides[d] || a.shape[d] === 1)
  );
}
