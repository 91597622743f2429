/** The io segment: inputs and results of one step, each on its own cache line. */
import type { IoPlace } from './compiled.js';
import type { Graph } from './graph.js';
import { align } from './layout.js';
import { STORAGE_BYTES, storageOf } from './lower/kernel.js';
import { product } from './lower/view.js';

export class Io {
  byteLength = 0;

  add(storage: IoPlace['storage'], shape: readonly number[]): IoPlace {
    const place = { byteOffset: this.byteLength, shape, storage };
    this.byteLength += align(product(shape) * STORAGE_BYTES[storage]);
    return place;
  }

  /** A place for every `input` node, by name. */
  inputs(graph: Graph): Map<string, IoPlace> {
    const places = new Map<string, IoPlace>();
    for (const node of graph.nodes) {
      const name = String(node.attrs.name);
      if (node.op !== 'input' || places.has(name)) continue;
      const type = graph.values[node.outputs[0]!]!;
      places.set(name, this.add(storageOf(type.dtype), type.shape));
    }
    return places;
  }
}
