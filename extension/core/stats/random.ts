/** A small seeded generator (xoshiro128**, Blackman and Vigna 2018; seeded by splitmix32): resampling, batches, tasks. */
export class Random {
  readonly #state = new Uint32Array(4);

  /** Any finite seed; the same seed gives the same sequence on every machine. */
  constructor(seed: number) {
    let x = (seed ^ Math.floor(seed / 0x1_0000_0000)) >>> 0;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.#state[i] = z ^ (z >>> 15);
    }
  }

  /** Uniform in 0..2^32-1. */
  next(): number {
    const s = this.#state;
    const [s0, s1, s2, s3] = [s[0]!, s[1]!, s[2]!, s[3]!];
    const x = Math.imul(s1, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    s[2] = s2 ^ s0;
    s[3] = s3 ^ s1;
    s[1] = s1 ^ s[2];
    s[0] = s0 ^ s[3];
    s[2] ^= s1 << 9;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.next() / 0x1_0000_0000;
  }

  /** Uniform integer in [0, limit), limit up to 2^53. */
  below(limit: number): number {
    const high = this.next() & 0x1fffff;
    return Math.floor(((high * 0x1_0000_0000 + this.next()) / 2 ** 53) * limit);
  }

  /** `count` distinct integers of [low, high), in random order (partial Fisher-Yates). */
  distinct(count: number, low: number, high: number): number[] {
    const moved = new Map<number, number>();
    return Array.from({ length: count }, (_, i) => {
      const j = i + this.below(high - low - i);
      const chosen = moved.get(j) ?? j;
      moved.set(j, moved.get(i) ?? i);
      return low + chosen;
    });
  }
}
