/** Which tensor of a checkpoint belongs to which tensor of the model, by name. */

/** A name without what torch.compile (`_orig_mod.`, at any module) and DataParallel (`module.`, in front) add. */
export function bare(name: string): string {
  return name.replaceAll('_orig_mod.', '').replace(/^(?:module\.)+/, '');
}

/** Names in a file: a model's tensor is found under its own names first, then without what wrappers add. */
export class WeightNames {
  readonly #stored: readonly string[];
  readonly #exact: ReadonlySet<string>;
  readonly #byBare = new Map<string, string>();
  readonly #used = new Set<string>();

  constructor(stored: readonly string[]) {
    this.#stored = stored;
    this.#exact = new Set(stored);
    for (const name of stored) if (!this.#byBare.has(bare(name))) this.#byBare.set(bare(name), name);
  }

  #find(name: string): string | undefined {
    return this.#exact.has(name) ? name : this.#byBare.get(bare(name));
  }

  /** The stored tensors that a model's tensor goes by (several when it is tied), in the order of its names. */
  take(names: readonly string[]): string[] {
    const found = [...new Set(names.map((name) => this.#find(name)).filter((name) => name !== undefined))];
    for (const name of found) this.#used.add(name);
    return found;
  }

  /** Names in the file that no tensor of the model took. */
  unused(): string[] {
    return this.#stored.filter((name) => !this.#used.has(name));
  }
}
