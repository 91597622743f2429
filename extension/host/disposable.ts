/** The three dispose tools: a store, a replaceable value, a function as a disposable. No `vscode` at run time. */

export interface Disposable {
  dispose(): void;
}

/** Where stores and functions were made that have not been disposed; the places are kept where tests ask for them. */
const living = new Map<Disposable, string>();
const keepsPlaces = process.env['CROSSOVER_LEAKS'] !== undefined;

function born<T extends Disposable>(made: T): T {
  living.set(made, keepsPlaces ? (new Error().stack ?? '') : '');
  return made;
}

/** Where what has not been disposed was made, one text each. */
export function undisposed(): string[] {
  return [...living.values()];
}

/** Makes a disposable that calls `action` at most once. */
export function toDisposable(action: () => void): Disposable {
  const made = born({
    dispose() {
      if (!living.delete(made)) return;
      action();
    },
  });
  return made;
}

/** Does something once activation is over, unless it is disposed before. */
export function soon(action: () => void): Disposable {
  const timer = setImmediate(action);
  return toDisposable(() => {
    clearImmediate(timer);
  });
}

/** Owns disposables and disposes them in reverse order; adding to a disposed store disposes at once. */
export class Store implements Disposable {
  private readonly items = new Set<Disposable>();
  private disposed = false;

  constructor() {
    born(this);
  }

  /** Takes ownership and hands the same object back. */
  add<T extends Disposable>(item: T): T {
    if (this.disposed) item.dispose();
    else this.items.add(item);
    return item;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    living.delete(this);
    for (const item of [...this.items].reverse()) item.dispose();
    this.items.clear();
  }
}

/** Holds at most one disposable; setting another disposes the one before. Inert once disposed. */
export class Replaceable<T extends Disposable> implements Disposable {
  private current: T | undefined;
  private disposed = false;

  constructor() {
    born(this);
  }

  get value(): T | undefined {
    return this.current;
  }

  set value(next: T | undefined) {
    if (this.disposed) {
      next?.dispose();
      return;
    }
    if (next === this.current) return;
    this.current?.dispose();
    this.current = next;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    living.delete(this);
    this.current?.dispose();
    this.current = undefined;
  }
}
