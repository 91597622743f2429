/** Memory of the reference executor: three segments of real bytes, and tensors that read and write them. */
import type { Program, Segment, TensorRef } from '../program.js';

export type Segments = Readonly<Record<Segment, ArrayBuffer>>;

/** Fresh segments; the arena is poisoned so that reading what nobody wrote shows as NaN. */
export function allocate(program: Program, state = new ArrayBuffer(program.stateBytes)): Segments {
  const arena = new ArrayBuffer(program.arenaBytes);
  new Uint8Array(arena).fill(0xff);
  return { state, arena, io: new ArrayBuffer(program.ioBytes) };
}

/** A strided tensor over a segment; elements are read and written as numbers. */
export class Memory {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly dtype: 'f32' | 'i64' | 'bool';
  private readonly f32: Float32Array | null = null;
  private readonly i64: BigInt64Array | null = null;
  private readonly u8: Uint8Array | null = null;
  private readonly start: number;

  constructor(ref: TensorRef, segments: Segments) {
    this.shape = ref.shape;
    this.strides = ref.strides;
    this.dtype = ref.storage === 'i64' ? 'i64' : ref.storage === 'u8' ? 'bool' : 'f32';
    const bytes = segments[ref.segment];
    const size = { f32: 4, i64: 8, u8: 1, bf16: 2 }[ref.storage];
    this.start = ref.byteOffset / size;
    if (ref.storage === 'f32') this.f32 = new Float32Array(bytes);
    else if (ref.storage === 'i64') this.i64 = new BigInt64Array(bytes);
    else if (ref.storage === 'u8') this.u8 = new Uint8Array(bytes);
    else throw new Error('The reference executor keeps no bf16 tensors.');
    this.check(bytes.byteLength / size);
  }

  /** Reads beyond a segment are errors of the compiler. */
  private check(elements: number): void {
    if (this.count === 0) return;
    let [low, high] = [this.start, this.start];
    for (const [d, size] of this.shape.entries()) {
      const reach = (size - 1) * this.strides[d]!;
      if (reach < 0) low += reach;
      else high += reach;
    }
    if (low < 0 || high >= elements) throw new Error(`A tensor reaches [${low}, ${high}] of ${elements}.`);
  }

  get count(): number {
    return this.shape.reduce((total, size) => total * size, 1);
  }

  /** Element position of a multi-index. */
  at(index: readonly number[]): number {
    let position = this.start;
    for (let d = 0; d < index.length; d++) position += index[d]! * this.strides[d]!;
    return position;
  }

  get(position: number): number {
    if (this.f32) return this.f32[position]!;
    return this.i64 ? Number(this.i64[position]!) : this.u8![position]!;
  }

  set(position: number, value: number): void {
    if (this.f32) this.f32[position] = value;
    else if (this.i64) this.i64[position] = BigInt(Math.trunc(value));
    else this.u8![position] = value !== 0 ? 1 : 0;
  }

  /** All elements in row-major order. */
  read(): Float64Array {
    const values = new Float64Array(this.count);
    let next = 0;
    for (const index of indices(this.shape)) values[next++] = this.get(this.at(index));
    return values;
  }

  write(values: ArrayLike<number>, add = false): void {
    let next = 0;
    for (const index of indices(this.shape)) {
      const position = this.at(index);
      this.set(position, (add ? this.get(position) : 0) + values[next++]!);
    }
  }
}

/** Every multi-index of a shape in row-major order; the same array is reused. */
export function* indices(shape: readonly number[]): Generator<number[]> {
  if (shape.includes(0)) return;
  const index = new Array<number>(shape.length).fill(0);
  for (;;) {
    yield index;
    let d = shape.length - 1;
    while (d >= 0 && ++index[d]! === shape[d]) index[d--] = 0;
    if (d < 0) return;
  }
}
