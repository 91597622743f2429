/** An icicle: bars below the bar they belong to, as wide as their share. A tree to the keyboard and to screen readers. */
import type { Block, Place } from './breakdownSpec.js';
import { element, fill } from './dom.js';

const ROW_PX = 27;
/** Bars of less than this share are too narrow to be seen; tables have them. */
const NARROWEST = 0.003;
/** Percent of colour in a bar: of the largest, and of one that is almost nothing. */
const HEAT = { least: 12, most: 52 } as const;

interface Placed {
  readonly block: Block;
  readonly level: number;
  /** 0..1, from the left. */
  readonly left: number;
  readonly parent: Placed | null;
  readonly children: Placed[];
}

export interface IcicleOptions {
  readonly label: string;
  readonly colour: string;
  readonly text: (block: Block) => string;
  /** The line that is pointed out. */
  readonly selected: Place | null;
}

export class Icicle {
  private readonly tree = element('div', { class: 'icicle', role: 'tree' });
  private readonly said = element('p', { class: 'small icicle-said', 'aria-hidden': 'true' });
  readonly element = element('div', {}, this.tree, this.said);
  private placed = new Map<string, Placed>();
  private current = '';
  private options: IcicleOptions | null = null;

  /** `open` is called with the bar that was clicked or entered; nothing is opened where it is `null`. */
  constructor(private readonly open: ((place: Place) => void) | null) {
    this.tree.addEventListener('keydown', (event) => {
      this.key(event);
    });
    this.tree.addEventListener('click', ({ target }) => {
      const bar = this.barOf(target);
      if (bar === null) return;
      this.focus(bar);
      this.enter(bar);
    });
    for (const kind of ['focusin', 'mouseover'] as const)
      this.tree.addEventListener(kind, ({ target }) => {
        const bar = this.barOf(target);
        if (bar !== null) this.say(bar);
      });
  }

  update(root: Block, options: IcicleOptions): void {
    this.options = options;
    this.placed = new Map();
    const top = place(root, null, 0, (bar) => this.placed.set(bar.block.key, bar));
    if (!this.placed.has(this.current)) this.current = root.key;
    const depth = Math.max(...[...this.placed.values()].map(({ level }) => level));
    this.tree.style.height = `${(depth + 1) * ROW_PX}px`;
    this.tree.style.setProperty('--bar', options.colour);
    this.tree.setAttribute('aria-label', options.label);
    fill(this.tree, ...[...this.placed.values()].map((bar) => this.draw(bar)));
    this.say(this.placed.get(this.current) ?? top);
  }

  private draw({ block, level, left, parent }: Placed): HTMLElement {
    const text = this.options?.text(block) ?? block.name;
    const siblings = parent?.children ?? [];
    const bar = element(
      'div',
      {
        role: 'treeitem',
        class: isSelected(block, this.options?.selected ?? null) ? `${block.kind} selected` : block.kind,
        tabindex: block.key === this.current ? '0' : '-1',
        title: this.hint(block, text),
        'aria-label': text,
        'aria-level': String(level + 1),
        'aria-setsize': String(Math.max(1, siblings.length)),
        'aria-posinset': String(
          Math.max(
            0,
            siblings.findIndex((one) => one.block === block),
          ) + 1,
        ),
        'aria-selected': String(isSelected(block, this.options?.selected ?? null)),
        'data-key': block.key,
        'data-focus': `bar ${block.key}`,
      },
      text,
    );
    bar.style.left = `${(left * 100).toFixed(3)}%`;
    bar.style.width = `${(block.share * 100).toFixed(3)}%`;
    bar.style.top = `${level * ROW_PX}px`;
    bar.style.setProperty('--heat', `${(HEAT.least + (HEAT.most - HEAT.least) * block.share).toFixed(1)}%`);
    return bar;
  }

  private hint({ kind, place: at }: Block, text: string): string {
    if (this.open === null || at === null) return text;
    const line = `${at.file.replace(/^.*[/\\]/, '')}:${at.line}`;
    return `${text}\nOpens ${kind === 'line' ? line : `${line}, its costliest line`}`;
  }

  private barOf(target: EventTarget | null): Placed | null {
    const key = target instanceof HTMLElement ? target.dataset['key'] : undefined;
    return key === undefined ? null : (this.placed.get(key) ?? null);
  }

  private say({ block, parent }: Placed): void {
    const path: string[] = [];
    for (let at = parent; at !== null; at = at.parent) path.unshift(at.block.name);
    this.said.textContent = [...path, this.options?.text(block) ?? block.name].join(' › ');
  }

  private key(event: KeyboardEvent): void {
    const bar = this.placed.get(this.current);
    if (bar === undefined) return;
    const beside = (step: number): Placed | undefined => {
      const all = bar.parent?.children ?? [bar];
      return all[all.indexOf(bar) + step];
    };
    const moves: Readonly<Record<string, () => Placed | null | undefined>> = {
      ArrowDown: () => bar.children[0],
      ArrowUp: () => bar.parent,
      ArrowRight: () => beside(1),
      ArrowLeft: () => beside(-1),
      Home: () => bar.parent?.children[0],
      End: () => bar.parent?.children.at(-1),
    };
    const move = moves[event.key];
    if (move !== undefined) {
      event.preventDefault();
      const next = move();
      if (next !== undefined && next !== null) this.focus(next);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.enter(bar);
    }
  }

  private focus({ block }: Placed): void {
    this.current = block.key;
    for (const bar of this.tree.querySelectorAll<HTMLElement>('[role="treeitem"]')) {
      const here = bar.dataset['key'] === block.key;
      bar.tabIndex = here ? 0 : -1;
      if (here) bar.focus();
    }
  }

  private enter({ block }: Placed): void {
    if (block.place !== null) this.open?.(block.place);
  }
}

export function isSelected({ kind, place: at }: Block, selected: Place | null): boolean {
  return (
    kind === 'line' &&
    at !== null &&
    selected !== null &&
    at.file === selected.file &&
    at.line === selected.line
  );
}

function place(block: Block, parent: Placed | null, left: number, add: (bar: Placed) => void): Placed {
  const bar: Placed = { block, level: parent === null ? 0 : parent.level + 1, left, parent, children: [] };
  add(bar);
  let at = left;
  for (const child of block.children) {
    if (child.share >= NARROWEST) bar.children.push(place(child, bar, at, add));
    at += child.share;
  }
  return bar;
}
