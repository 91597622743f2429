/** Colours of the page as they are now, and word when they change: theme, contrast, light or dark. */

export interface Palette {
  readonly foreground: string;
  readonly muted: string;
  readonly grid: string;
  readonly background: string;
  readonly font: string;
  readonly fontSize: number;
  /** Colours of models, in their order; used again from the start when there are more models. */
  readonly series: readonly string[];
}

/** Stands in where a theme draws a chart colour like its text, as high contrast does with orange. */
const STAND_IN = '#e8862e';
const SERIES = ['blue', 'orange', 'green', 'purple', 'red', 'yellow'];

/** Markers of models, in their order. */
export const MARKERS = ['circle', 'rectRot', 'triangle', 'rect', 'star', 'crossRot'] as const;

export function seriesColour({ series, foreground }: Palette, model: number): string {
  return series[model % series.length] ?? foreground;
}

/** Reads the palette from the CSS variables of the page. */
export function readPalette(): Palette {
  const style = getComputedStyle(document.body);
  const read = (name: string, fallback: string): string => {
    const value = style.getPropertyValue(`--vscode-${name}`).trim();
    return value === '' ? fallback : value;
  };
  const foreground = read('foreground', style.color);
  const contrast = read('contrastBorder', '');
  const muted = contrast === '' ? read('descriptionForeground', foreground) : foreground;
  return {
    foreground,
    muted,
    grid: `color-mix(in srgb, ${foreground} ${contrast === '' ? 14 : 35}%, transparent)`,
    background: read('editor-background', style.backgroundColor),
    font: style.fontFamily,
    fontSize: Number.parseFloat(style.fontSize) || 13,
    series: SERIES.map((name) => {
      const colour = opaque(read(`charts-${name}`, foreground));
      return sameColour(colour, foreground) ? STAND_IN : colour;
    }),
  };
}

/** Whether two colours are written alike, apart from case and a shortened form. */
function sameColour(one: string, other: string): boolean {
  const long = (colour: string): string =>
    colour.toLowerCase().replace(/^#([\da-f])([\da-f])([\da-f])$/, '#$1$1$2$2$3$3');
  return long(one) === long(other);
}

/** The colour without its transparency: some themes make chart colours of translucent highlights. */
export function opaque(colour: string): string {
  const short = /^#([\da-f]{3})[\da-f]$/i.exec(colour)?.[1];
  const long = /^#([\da-f]{6})[\da-f]{2}$/i.exec(colour)?.[1];
  const digits = short ?? long;
  if (digits !== undefined) return `#${digits}`;
  return colour.replace(/^rgba\(([^,]+,[^,]+,[^,]+),[^)]*\)$/, 'rgb($1)');
}

/** Calls `changed` after every change of theme: VS Code rewrites attributes of html and body, browsers the scheme. */
export function observeTheme(changed: () => void): void {
  let asked = false;
  const later = (): void => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      changed();
    });
  };
  const observer = new MutationObserver(later);
  for (const target of [document.documentElement, document.body])
    observer.observe(target, {
      attributes: true,
      attributeFilter: ['class', 'style', 'data-vscode-theme-id'],
    });
  for (const query of ['(prefers-color-scheme: dark)', '(prefers-contrast: more)', '(forced-colors: active)'])
    window.matchMedia(query).addEventListener('change', later);
}
