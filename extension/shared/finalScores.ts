/** Of what was scored several times while training went on, the last. */
interface Scored {
  readonly model: string;
  readonly task: string;
  readonly seed: number;
  readonly tokens: number;
}

/** The score after most tokens of every model, task and seed, in the order they first came. */
export function finalScores<T extends Scored>(scores: readonly T[]): T[] {
  const last = new Map<string, T>();
  for (const score of scores) {
    const key = JSON.stringify([score.model, score.task, score.seed]);
    const known = last.get(key);
    if (known === undefined || score.tokens >= known.tokens) last.set(key, score);
  }
  return [...last.values()];
}
