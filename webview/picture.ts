/** A chart as a picture that can stand alone: run, heading, plot and caption on the background of the page. */
import type { Palette } from './theme.js';

const WIDTH = 1100;
const PLOT_HEIGHT = 520;
/** Pixels of the picture per pixel of its layout. */
const SCALE = 2;
const MARGIN = 28;
const LEADING = 1.45;

interface Words {
  readonly text: string;
  readonly size: number;
  readonly bold?: boolean;
  readonly colour: string;
}

export interface Picture {
  readonly title: string;
  readonly heading: string;
  readonly caption: readonly string[];
  /** Draws the plot on a canvas of this size, `scale` pixels each. */
  readonly plot: (width: number, height: number, scale: number) => HTMLCanvasElement;
}

/** The picture as PNG in Base64. */
export function pngOf(picture: Picture, palette: Palette): string {
  const canvas = document.createElement('canvas');
  const ctx = canvas.getContext('2d');
  if (ctx === null) throw new Error('This browser draws no pictures.');
  const { foreground, muted, font } = palette;
  const wrap = (words: Words): Words[] => {
    ctx.font = fontOf(words, font);
    return wrapped(words.text, (text) => ctx.measureText(text).width <= WIDTH - 2 * MARGIN).map((text) => ({
      ...words,
      text,
    }));
  };
  const above = [
    ...wrap({ text: picture.title, size: 20, bold: true, colour: foreground }),
    ...wrap({ text: picture.heading, size: 14, colour: foreground }),
  ];
  const below = picture.caption.flatMap((text) => wrap({ text, size: 13, colour: muted }));
  const heightOf = (lines: readonly Words[]): number =>
    lines.reduce((sum, { size }) => sum + size * LEADING, 0);
  const plotAt = MARGIN + heightOf(above) + 10;
  canvas.width = WIDTH * SCALE;
  canvas.height = Math.ceil((plotAt + PLOT_HEIGHT + 10 + heightOf(below) + MARGIN) * SCALE);
  ctx.scale(SCALE, SCALE);
  ctx.fillStyle = palette.background;
  ctx.fillRect(0, 0, WIDTH, canvas.height);
  const write = (lines: readonly Words[], from: number): void => {
    let top = from;
    for (const line of lines) {
      ctx.font = fontOf(line, font);
      ctx.fillStyle = line.colour;
      ctx.textBaseline = 'top';
      ctx.fillText(line.text, MARGIN, top);
      top += line.size * LEADING;
    }
  };
  write(above, MARGIN);
  const width = WIDTH - 2 * MARGIN;
  ctx.drawImage(picture.plot(width, PLOT_HEIGHT, SCALE), MARGIN, plotAt, width, PLOT_HEIGHT);
  write(below, plotAt + PLOT_HEIGHT + 10);
  return canvas.toDataURL('image/png').replace(/^.*,/, '');
}

const fontOf = ({ size, bold }: Words, family: string): string =>
  `${bold === true ? '600 ' : ''}${size}px ${family}`;

/** Lines that fit; a word that does not fit by itself stands on a line of its own. */
export function wrapped(text: string, fits: (line: string) => boolean): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && !fits(longer)) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
