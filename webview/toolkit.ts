/** The one user of `@vscode/webview-ui-toolkit`, which is no longer developed: replacing it touches this file only. */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodePanels,
  vsCodePanelTab,
  vsCodePanelView,
  vsCodeProgressRing,
} from '@vscode/webview-ui-toolkit';
import type { Choice, Control, Controls } from './controls.js';
import { custom, element } from './dom.js';

provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeCheckbox(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodePanels(),
  vsCodePanelTab(),
  vsCodePanelView(),
  vsCodeProgressRing(),
);

interface Checkable extends HTMLElement {
  checked: boolean;
}
interface Valued extends HTMLElement {
  value: string;
}
interface Panels extends HTMLElement {
  activeid: string;
}

export const toolkitControls: Controls = {
  checkbox(label: string, changed: (checked: boolean) => void): Control<boolean> {
    const box = custom('vscode-checkbox', {}, label) as Checkable;
    let shown = false;
    box.addEventListener('change', () => {
      if (box.checked === shown) return;
      shown = box.checked;
      changed(shown);
    });
    return {
      element: box,
      set: (value) => {
        shown = value;
        box.checked = value;
      },
    };
  },

  select<T extends string>(
    label: string,
    choices: readonly Choice<T>[],
    changed: (value: T) => void,
  ): Control<T> {
    const list = custom(
      'vscode-dropdown',
      { 'aria-label': label },
      ...choices.map((choice) => custom('vscode-option', { value: choice.value }, choice.label)),
    ) as Valued;
    let shown = '';
    list.addEventListener('change', () => {
      const choice = choices.find(({ value }) => value === list.value);
      if (choice === undefined || choice.value === shown) return;
      shown = choice.value;
      changed(choice.value);
    });
    return {
      element: element('div', { class: 'control' }, element('span', {}, label), list),
      set: (value) => {
        shown = value;
        list.value = value;
      },
    };
  },
};

export interface TabPage {
  readonly id: string;
  readonly label: string;
  readonly content: HTMLElement;
}

/** Tabs moved through with the arrow keys; `changed` is told the id of the tab shown. */
export function tabs(pages: readonly TabPage[], changed: (id: string) => void): Control<string> {
  const panels = custom(
    'vscode-panels',
    { 'aria-label': 'Results' },
    ...pages.map(({ id, label }) => custom('vscode-panel-tab', { id: `tab-${id}` }, label)),
    ...pages.map(({ id, content }) => custom('vscode-panel-view', { id: `view-${id}` }, content)),
  ) as Panels;
  let shown = '';
  panels.addEventListener('change', () => {
    const id = panels.activeid.replace(/^tab-/, '');
    if (id === shown || !pages.some((page) => page.id === id)) return;
    shown = id;
    changed(id);
  });
  return {
    element: panels,
    set: (id) => {
      if (id === shown) return;
      shown = id;
      panels.activeid = `tab-${id}`;
    },
  };
}

export function button(label: string, pressed: () => void, primary = false): HTMLElement {
  const made = custom('vscode-button', { appearance: primary ? 'primary' : 'secondary' }, label);
  made.addEventListener('click', pressed);
  return made;
}

export function spinner(label: string): HTMLElement {
  return custom('vscode-progress-ring', { 'aria-label': label });
}
