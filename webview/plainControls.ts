/** Controls of plain HTML, for the report that stands alone. */
import type { Choice, Control, Controls } from './controls.js';
import { element } from './dom.js';

export const plainControls: Controls = {
  checkbox(label: string, changed: (checked: boolean) => void): Control<boolean> {
    const input = element('input', { type: 'checkbox' });
    input.addEventListener('change', () => {
      changed(input.checked);
    });
    return {
      element: element('label', { class: 'control' }, input, label),
      set: (value) => {
        input.checked = value;
      },
    };
  },

  select<T extends string>(
    label: string,
    choices: readonly Choice<T>[],
    changed: (value: T) => void,
  ): Control<T> {
    const input = element(
      'select',
      {},
      ...choices.map((choice) => element('option', { value: choice.value }, choice.label)),
    );
    input.addEventListener('change', () => {
      const choice = choices[input.selectedIndex];
      if (choice !== undefined) changed(choice.value);
    });
    return {
      element: element('label', { class: 'control' }, label, input),
      set: (value) => {
        input.value = value;
      },
    };
  },
};
