/** Something was asked for that cannot be: one sentence that says what to ask instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
