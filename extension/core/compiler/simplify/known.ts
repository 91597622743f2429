/** Finds an equal node made before, by a hash of what it is; no keys are built, so that large graphs stay cheap. */
import type { GraphBuilder } from '../build.js';
import type { Attr, Attrs, Node, TensorType, ValueId } from '../graph.js';
import { sameType } from '../shapes.js';

function mix(hash: number, value: number): number {
  return (Math.imul(hash ^ value, 0x9e3779b1) >>> 15) ^ Math.imul(hash, 31) ^ value;
}

function mixText(hash: number, text: string): number {
  let result = hash;
  for (let i = 0; i < text.length; i++) result = mix(result, text.charCodeAt(i));
  return result;
}

const isList = (attr: Attr): attr is readonly number[] => typeof attr === 'object';

function mixAttr(hash: number, attr: Attr): number {
  if (isList(attr)) return attr.reduce((sum, value) => mix(sum, value), hash);
  if (typeof attr === 'string') return mixText(hash, attr);
  return Number.isInteger(attr) ? mix(hash, Number(attr)) : mixText(hash, String(attr));
}

function sameAttr(a: Attr | undefined, b: Attr): boolean {
  if (a === undefined || !isList(a) || !isList(b)) return Object.is(a, b);
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}

function sameAttrs(a: Attrs, b: Attrs): boolean {
  for (const key in a) if (!sameAttr(b[key], a[key]!)) return false;
  for (const key in b) if (a[key] === undefined) return false;
  return true;
}

export class KnownNodes {
  /** Hash to node indexes. */
  private readonly buckets = new Map<number, number | number[]>();

  constructor(private readonly b: GraphBuilder) {}

  hash(
    op: string,
    inputs: readonly ValueId[],
    attrs: Attrs,
    types: readonly TensorType[],
    commutes: boolean,
  ): number {
    let hash = mixText(17, op);
    if (commutes) {
      const [x, y] = inputs as [ValueId, ValueId];
      hash = mix(mix(hash, Math.min(x, y)), Math.max(x, y));
    } else for (const id of inputs) hash = mix(hash, id);
    for (const key in attrs) hash = mixAttr(mix(hash, key.length), attrs[key]!);
    for (const size of types[0]?.shape ?? []) hash = mix(hash, size);
    return hash;
  }

  find(
    hash: number,
    op: string,
    inputs: readonly ValueId[],
    attrs: Attrs,
    types: readonly TensorType[],
    commutes: boolean,
  ): readonly ValueId[] | undefined {
    const bucket = this.buckets.get(hash);
    if (bucket === undefined) return undefined;
    for (const index of typeof bucket === 'number' ? [bucket] : bucket) {
      const node = this.b.nodes[index]!;
      if (
        node.op === op &&
        sameInputs(node, inputs, commutes) &&
        sameAttrs(node.attrs, attrs) &&
        this.sameTypes(node, types)
      )
        return node.outputs;
    }
    return undefined;
  }

  /** Records the node made last. */
  add(hash: number): void {
    const index = this.b.nodes.length - 1;
    const bucket = this.buckets.get(hash);
    if (bucket === undefined) this.buckets.set(hash, index);
    else if (typeof bucket === 'number') this.buckets.set(hash, [bucket, index]);
    else bucket.push(index);
  }

  private sameTypes(node: Node, types: readonly TensorType[]): boolean {
    return (
      node.outputs.length === types.length &&
      node.outputs.every((id, i) => sameType(this.b.type(id), types[i]!))
    );
  }
}

function sameInputs(node: Node, inputs: readonly ValueId[], commutes: boolean): boolean {
  if (node.inputs.length !== inputs.length) return false;
  if (node.inputs.every((id, i) => id === inputs[i])) return true;
  return commutes && node.inputs[0] === inputs[1] && node.inputs[1] === inputs[0];
}
