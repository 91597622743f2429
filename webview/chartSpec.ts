/** A chart in our own words; `chart.ts` alone translates them for the library. */

export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  /** Interval of y, drawn as a band behind the line. */
  readonly interval?: readonly [number, number] | null;
  /** Ends of the band around a point of a dense curve. */
  readonly within?: readonly [number, number];
}

/** A line of many points by columns, of which as much is drawn as can be seen. */
export interface DenseCurve {
  /** Ascending. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** As measured, where `y` is smoothed: fine and pale behind it. */
  readonly raw: Float64Array | null;
  /** Lowest and highest around `y`. */
  readonly band: { readonly low: Float64Array; readonly high: Float64Array } | null;
}

export interface ChartSeries {
  readonly label: string;
  /** Series of one group share an entry of the legend, which has its name. */
  readonly group?: string;
  /** Which model this is: decides colour and marker, so that colour alone never tells models apart. */
  readonly model: number;
  readonly points: readonly ChartPoint[];
  /** In place of `points`. */
  readonly curve?: DenseCurve;
  readonly dashed?: boolean;
  /** Markers at points; lines of many points have none. */
  readonly markers?: boolean;
  /** A fine line, for one seed of several. */
  readonly fine?: boolean;
}

export interface ChartAxis {
  readonly label: string;
  readonly log: boolean;
  /** Values that get a tick on a logarithmic axis; chosen by the library when left out. */
  readonly ticks?: readonly number[];
  readonly format: (value: number) => string;
  /** Unit of the values themselves, where `label` does not say it. */
  readonly unit?: string;
}

export interface ChartMark {
  readonly at: number;
  readonly interval: readonly [number, number] | null;
  readonly label: string;
}

export interface ChartSpec {
  /** Said by screen readers; the table under the chart has the numbers. */
  readonly description: string;
  /** Under the plot, a line each: what its numbers hold for. */
  readonly caption: readonly string[];
  readonly x: ChartAxis;
  readonly y: ChartAxis;
  readonly series: readonly ChartSeries[];
  /** Where curves cross, on the x axis. */
  readonly marks: readonly ChartMark[];
  /** A level on the y axis, e.g. the score of guessing. */
  readonly level: { readonly at: number; readonly label: string } | null;
  /** The horizontal axis can be zoomed and moved. */
  readonly zoom?: boolean;
}

/** Stacked bars, grouped by category: one bar per model, its parts told apart by shade. */
export interface BarSpec {
  readonly description: string;
  readonly caption: readonly string[];
  readonly x: {
    readonly label: string;
    readonly values: readonly number[];
    readonly format: (value: number) => string;
  };
  /** Linear: parts of a bar add up. */
  readonly y: Omit<ChartAxis, 'log' | 'ticks'>;
  /** What a bar is made of, lowest first. */
  readonly parts: readonly string[];
  readonly bars: readonly BarSeries[];
}

export interface BarSeries {
  readonly label: string;
  readonly model: number;
  /** Values of the parts, by category; `null` where the model was not measured. */
  readonly values: readonly (readonly number[] | null)[];
}
