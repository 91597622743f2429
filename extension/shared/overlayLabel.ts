/** Labels of models where several runs are shown together: the model, then the run. */
const SEPARATOR = ' · ';

export function labelInRun(model: string, tag: string): string {
  return `${model}${SEPARATOR}${tag}`;
}

/** Whether two labels are of one run; labels of a run shown alone are. */
export function sameRun(one: string, other: string): boolean {
  const tag = (label: string): string => label.slice(label.lastIndexOf(SEPARATOR) + 1);
  return !one.includes(SEPARATOR) || !other.includes(SEPARATOR) || tag(one) === tag(other);
}
