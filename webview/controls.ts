/** Controls as the views see them; the panel makes them of the toolkit, the HTML report of plain elements. */
import { element } from './dom.js';

export interface Control<T> {
  readonly element: HTMLElement;
  /** Shows a value without reporting it as a change. */
  set(value: T): void;
}

export interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
}

/** A select whose choices come with the report. */
export interface ChangingSelect<T extends string> extends Control<T> {
  offer(choices: readonly Choice<T>[]): void;
}

/** Makes the select again only when other choices are offered. */
export function changingSelect<T extends string>(
  { select }: Pick<Controls, 'select'>,
  label: string,
  changed: (value: T) => void,
): ChangingSelect<T> {
  const holder = element('div');
  let offered = '';
  let control: Control<T> | null = null;
  return {
    element: holder,
    offer: (choices) => {
      const key = JSON.stringify(choices);
      if (key === offered) return;
      offered = key;
      control = select(label, choices, changed);
      holder.replaceChildren(control.element);
    },
    set: (value) => control?.set(value),
  };
}

export interface Controls {
  checkbox(label: string, changed: (checked: boolean) => void): Control<boolean>;
  select<T extends string>(
    label: string,
    choices: readonly Choice<T>[],
    changed: (value: T) => void,
  ): Control<T>;
}
