/** Zooming of a chart by buttons, keys, Ctrl and the wheel, and moving by dragging. Knows nothing of what is drawn. */
import { element } from './dom.js';
import { panned, zoomed, type AxisRange } from './zoom.js';

const STEP = 1.5;
const MOVE = 0.1;
/** Pixels of the wheel that zoom by a factor of e. */
const WHEEL = 300;
const LINE_PIXELS = 16;
/** A range that has not changed for so long is shown at rest. */
const REST_MS = 150;

export interface Zoomable {
  /** The plot, which is pointed at and has the keyboard. */
  readonly surface: HTMLElement;
  /** Everything there is, and whether it is on a logarithmic axis; `null`: nothing to zoom. */
  readonly axis: () => { readonly all: AxisRange; readonly log: boolean } | null;
  /** Left edge and width of the plot on its surface, pixels. */
  readonly area: () => { readonly left: number; readonly width: number };
  /** Shows a range (`null`: everything); `resting` once it stays so. */
  readonly show: (range: AxisRange | null, resting: boolean) => void;
}

export class ZoomTools {
  private range: AxisRange | null = null;
  private frame = 0;
  private rest: ReturnType<typeof setTimeout> | undefined;
  private readonly reset = this.button('Reset Zoom', () => null);
  readonly element = element(
    'div',
    { class: 'tools', role: 'group', 'aria-label': 'Zoom' },
    this.button('Zoom In', (shown, all, log) => zoomed(shown, all, STEP, 0.5, log)),
    this.button('Zoom Out', (shown, all, log) => zoomed(shown, all, 1 / STEP, 0.5, log)),
    this.reset,
  );

  constructor(private readonly chart: Zoomable) {
    const { surface } = chart;
    this.reset.disabled = true;
    surface.addEventListener('keydown', (event) => {
      this.key(event);
    });
    surface.addEventListener('wheel', (event) => {
      this.wheel(event);
    });
    surface.addEventListener('pointerdown', (event) => {
      this.drag(event);
    });
  }

  /** What is shown; `null`: everything. */
  get shown(): AxisRange | null {
    return this.range;
  }

  /** Forgets the zoom, as when the axis is another one. */
  forget(): void {
    this.range = null;
    this.reset.disabled = true;
    this.chart.surface.classList.remove('zoomed');
  }

  private button(
    label: string,
    next: (shown: AxisRange, all: AxisRange, log: boolean) => AxisRange | null,
  ): HTMLButtonElement {
    const made = element('button', { type: 'button', class: 'tool' }, label);
    made.addEventListener('click', () => {
      this.change(next);
    });
    return made;
  }

  private change(next: (shown: AxisRange, all: AxisRange, log: boolean) => AxisRange | null): void {
    const axis = this.chart.axis();
    if (axis === null) return;
    this.range = next(this.range ?? axis.all, axis.all, axis.log);
    this.reset.disabled = this.range === null;
    this.chart.surface.classList.toggle('zoomed', this.range !== null);
    if (this.frame === 0)
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.chart.show(this.range, false);
      });
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.chart.show(this.range, true);
    }, REST_MS);
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => this.change((shown, all, log) => panned(shown, all, -MOVE, log)),
      ArrowRight: () => this.change((shown, all, log) => panned(shown, all, MOVE, log)),
      '+': () => this.change((shown, all, log) => zoomed(shown, all, STEP, 0.5, log)),
      '=': () => this.change((shown, all, log) => zoomed(shown, all, STEP, 0.5, log)),
      '-': () => this.change((shown, all, log) => zoomed(shown, all, 1 / STEP, 0.5, log)),
      '0': () => this.change(() => null),
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    move();
  }

  /** The wheel alone scrolls the page, sideways it moves; with Ctrl, as a pinch arrives, it zooms about the pointer. */
  private wheel(event: WheelEvent): void {
    if (this.chart.axis() === null) return;
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PIXELS : 1;
    const { left, width } = this.chart.area();
    if (event.ctrlKey) {
      event.preventDefault();
      const share = Math.min(1, Math.max(0, (event.offsetX - left) / width));
      const factor = Math.exp((-event.deltaY * pixels) / WHEEL);
      this.change((shown, all, log) => zoomed(shown, all, factor, share, log));
    } else if (event.deltaX !== 0 && this.range !== null) {
      event.preventDefault();
      this.change((shown, all, log) => panned(shown, all, (event.deltaX * pixels) / width, log));
    }
  }

  private drag(down: PointerEvent): void {
    if (this.range === null || down.button !== 0) return;
    const { surface } = this.chart;
    surface.setPointerCapture(down.pointerId);
    let last = down.clientX;
    const moved = (event: PointerEvent): void => {
      const share = (last - event.clientX) / this.chart.area().width;
      last = event.clientX;
      this.change((shown, all, log) => panned(shown, all, share, log));
    };
    const ended = (): void => {
      surface.removeEventListener('pointermove', moved);
      surface.removeEventListener('pointerup', ended);
      surface.removeEventListener('pointercancel', ended);
    };
    surface.addEventListener('pointermove', moved);
    surface.addEventListener('pointerup', ended);
    surface.addEventListener('pointercancel', ended);
  }
}
