/** What a pickle is made of once it is read: data only. Nothing here can run. */
import type { ByteSource } from '../byteSource.js';
import type { Dtype } from '../dtypes.js';
import type { Storage, StoredTensor } from '../storedTensor.js';

export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PyBytes
  | PyTuple
  | PyList
  | PyDict
  | PySet
  | PyGlobal
  | PyOpaque
  | PyStorage
  | PyTensor
  | PyNumpyDtype;

/** bytes or bytearray: a range, so that a long one is not copied. */
export class PyBytes {
  constructor(readonly source: ByteSource) {}
}

export class PyTuple {
  constructor(readonly items: readonly PyValue[]) {}
}

export class PyList {
  readonly items: PyValue[] = [];
}

/** dict, OrderedDict, defaultdict, Namespace: keys are strings and numbers in every checkpoint. */
export class PyDict {
  #map: Map<PyValue, PyValue> | null = null;

  set(key: PyValue, value: PyValue): void {
    (this.#map ??= new Map()).set(key, value);
  }

  get(key: PyValue): PyValue | undefined {
    return this.#map?.get(key);
  }

  entries(): Iterable<[PyValue, PyValue]> {
    return this.#map ?? [];
  }
}

export class PySet {
  readonly items: PyValue[] = [];
}

/** A class or function by name; never looked up. */
export class PyGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object that is not built: what it would have been, and what it was given. */
export class PyOpaque {
  /** From `BUILD`: usually the object's `__dict__`. */
  state: PyValue = null;
  /** Items set on it, where it is a kind of dict. */
  readonly dict = new PyDict();
  /** Items appended to it, where it is a kind of list. */
  readonly list = new PyList();

  constructor(readonly path: string) {}
}

export class PyStorage {
  constructor(
    readonly dtype: Dtype,
    readonly storage: Storage,
  ) {}
}

/** A tensor, or a numpy array read as one; an array gets its content after it was made. */
export class PyTensor {
  constructor(public tensor: StoredTensor | null) {}
}

/** `numpy.dtype('f4')`; its byte order comes by `BUILD`. */
export class PyNumpyDtype {
  constructor(
    readonly dtype: Dtype,
    public bigEndian: boolean,
  ) {}
}
