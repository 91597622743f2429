/** Controls as the views see them; the panel makes them of the toolkit, the HTML report of plain elements. */

export interface Control<T> {
  readonly element: HTMLElement;
  /** Shows a value without reporting it as a change. */
  set(value: T): void;
}

export interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
}

export interface Controls {
  checkbox(label: string, changed: (checked: boolean) => void): Control<boolean>;
  select<T extends string>(
    label: string,
    choices: readonly Choice<T>[],
    changed: (value: T) => void,
  ): Control<T>;
}
