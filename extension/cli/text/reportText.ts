/** A report as tables, small plots and sentences. */
import { finalScores } from '../../shared/finalScores.js';
import { foremost } from '../../shared/foremost.js';
import type { Control, Estimate, Report, TimingPoint } from '../../shared/report.js';
import { plusMinus } from '../../shared/units.js';
import { styled, type Terminal } from '../terminal.js';
import { plot } from './plot.js';
import { table } from './table.js';
import { wrap as wrapTo } from './wrap.js';
import { bytesText, countText, flopRateText, millisecondsText, percentText, significant } from './units.js';

/** All of a report, for standard output. */
export function reportText(terminal: Terminal, report: Report): string {
  return [
    title(terminal, report) + crossoverText(terminal, report),
    conditions(terminal, report),
    timingText(terminal, report),
    decodeText(terminal, report),
    lossText(terminal, report),
    evalText(terminal, report),
    remarks(terminal, report),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

const title = (terminal: Terminal, { title: name, status }: Report): string =>
  `${styled(terminal, 'bold', name)}${status === 'done' ? '' : `  (${status})`}\n`;

/** Machine, text and models. */
function conditions(terminal: Terminal, report: Report): string {
  const { environment: on } = report;
  const lines: string[] = [];
  if (on !== null) {
    const peak =
      on.peakFlopsPerSecond === null
        ? ''
        : `, matrix-product peak ${flopRateText(on.peakFlopsPerSecond)} (measured in this run)`;
    const library = on.oneDnn === null ? 'portable matrix product' : `oneDNN ${on.oneDnn}`;
    lines.push(
      wrap(
        terminal,
        `${on.cpu}, ${on.threads} threads, ${on.instructionSet}, ${library}, ${on.precision}${peak}`,
      ),
    );
    if (on.dataDescription !== null)
      lines.push(wrap(terminal, `Text: ${on.dataDescription}, SHA-256 ${on.dataHash?.slice(0, 16) ?? ''}`));
  }
  const rows = report.models.map(({ label, parameters, embeddingParameters, file }) => [
    label,
    countText(parameters),
    countText(parameters - embeddingParameters),
    file.split(/[/\\]/).at(-1) ?? file,
  ]);
  const models =
    rows.length === 0 ? '' : `\n${table(terminal, ['Model', 'Parameters', 'Without lookups', 'File'], rows)}`;
  return lines.map((line) => `${line}\n`).join('') + models;
}

const widthOf = ({ median, interval }: Estimate): string =>
  `${percentText(Math.max(interval[1] - median, median - interval[0]) / median)}`;

function timingText(terminal: Terminal, report: Report): string {
  if (report.timing.length === 0) return '';
  const points = [...report.timing].sort((a, b) => a.context - b.context);
  const rows = points.map((point) => [
    point.model,
    String(point.context),
    millisecondsText(point.step.median),
    `±${widthOf(point.step)}`,
    phaseShares(point),
    countText(point.tokensPerSecond),
    bytesText(point.peakBytes),
    point.shareOfPeak === null ? '' : percentText(point.shareOfPeak),
  ]);
  const columns = ['Model', 'Context', 'Step', '95%', 'Fwd/bwd/opt', 'Tok/s', 'Memory', 'Of peak'];
  const mark = markOf(report, 'context');
  const curves = curvesOf(points, ({ step }) => step.median);
  const chart = plot(terminal, curves, { title: 'Step, ms, against context', logX: true, logY: true, mark });
  const tokens = report.tokensPerStep === null ? '' : `, ${report.tokensPerStep} tokens per step`;
  const noise = noiseText(terminal, report.control);
  const whole = 'A step is forward, loss, backward, gradient clipping and optimizer.';
  return `${styled(terminal, 'bold', `Timing of whole steps${tokens}`)}\n${whole}\n${table(terminal, columns, rows)}${noise}\n${chart}`;
}

/** Tokens one by one after a prompt, what is kept of it, and the prompt itself. */
function decodeText(terminal: Terminal, report: Report): string {
  if (report.decode.length === 0) return '';
  const points = [...report.decode].sort((a, b) => a.context - b.context);
  const rows = points.map((point) => [
    point.model,
    String(point.context),
    millisecondsText(point.token.median),
    `±${widthOf(point.token)}`,
    countText(point.tokensPerSecond),
    bytesText(point.stateBytes),
    millisecondsText(point.prompt.median),
    countText(point.promptTokensPerSecond),
  ]);
  const columns = ['Model', 'Context', 'Token', '95%', 'Tok/s', 'State', 'Prompt', 'Tok/s'];
  const chart = plot(
    terminal,
    curvesOf(points, ({ token }) => token.median),
    {
      title: 'Decoded token, ms, against context',
      logX: true,
      logY: true,
      mark: markOf(report, 'decode'),
    },
  );
  const whole = wrap(
    terminal,
    'One sequence at a time. State is what must be kept of the context, in fp32: keys and values, or recurrent states.',
  );
  return `${styled(terminal, 'bold', 'Decoding')}\n${whole}\n${table(terminal, columns, rows)}${noiseText(terminal, report.decodeControl)}\n${chart}`;
}

const markOf = (report: Report, wanted: 'context' | 'decode'): number | null =>
  report.crossovers.find(({ axis, at }) => axis === wanted && at !== null)?.at ?? null;

interface Placed {
  readonly model: string;
  readonly context: number;
}

/** A curve per model against context. */
function curvesOf<T extends Placed>(points: readonly T[], y: (point: T) => number) {
  return [...new Set(points.map(({ model }) => model))].map((label) => ({
    label,
    points: points.filter(({ model }) => model === label).map((point) => ({ x: point.context, y: y(point) })),
  }));
}

/** The A/A control, and where it says that the machine was busy. */
function noiseText(terminal: Terminal, controls: readonly Control[]): string {
  const [first] = controls;
  if (first === undefined) return '';
  const places = controls.map(({ model, context, ratio, interval }) => {
    const range = `${ratio.toFixed(3)} (${interval[0].toFixed(3)}-${interval[1].toFixed(3)})`;
    return `${context}: ${range}${first.model === model ? '' : ` ${model}`}`;
  });
  const said = `A/A control, ${first.model} against itself, ratio of medians at context ${places.join(', ')}.`;
  return `${wrap(terminal, said)}\n${busyText(terminal, controls)}`;
}

/** Contexts where a difference of practical size could hide in the noise. */
function busyText(terminal: Terminal, control: readonly Control[]): string {
  const busy = control.filter((one) => one.busy);
  if (busy.length === 0) return '';
  const places = busy
    .map(({ context, spread }) => `${context} (A/A control ${plusMinus(spread)})`)
    .join(', ');
  const text = `The machine was busy at context ${places}: a difference inside this can't be told.`;
  return `${styled(terminal, 'red', wrap(terminal, text))}\n`;
}

/** Forward, backward and optimizer as shares of the step. */
function phaseShares({ forwardMs, backwardMs, optimizerMs, step }: TimingPoint): string {
  const share = (ms: number): string => String(Math.round((ms / step.median) * 100));
  return `${share(forwardMs)}/${share(backwardMs)}/${share(optimizerMs)}%`;
}

function lossText(terminal: Terminal, report: Report): string {
  const curves = report.loss.filter(({ points, heldOut }) => points.length + heldOut.length > 0);
  if (curves.length === 0) return '';
  const rows = curves.map(({ model, seed, points, heldOut }) => {
    const last = heldOut.at(-1);
    const end = points.at(-1) ?? last;
    return [
      model,
      String(seed),
      String(end?.step ?? 0),
      countText(end?.tokens ?? 0),
      `${significant(end?.seconds ?? 0)} s`,
      points.length === 0 ? '' : points.at(-1)!.loss.toFixed(4),
      last?.loss.toFixed(4) ?? '',
      last?.bitsPerByte?.toFixed(4) ?? '',
    ];
  });
  const columns = ['Model', 'Seed', 'Steps', 'Tokens', 'Time', 'Loss', 'Held-out', 'Bits/byte'];
  const seed = curves[0]!.seed;
  const lines = curves
    .filter((curve) => curve.seed === seed)
    .map(({ model, points }) => ({
      label: model,
      points: points.map(({ tokens, loss }) => ({ x: tokens, y: loss })),
    }));
  const chart = plot(terminal, lines, {
    title: `Loss (nats per token) against tokens, seed ${seed}`,
    plain: true,
  });
  return `${styled(terminal, 'bold', 'Loss')}\n${table(terminal, columns, rows)}\n${chart}`;
}

function evalText(terminal: Terminal, report: Report): string {
  if (report.evals.length === 0) return '';
  const last = finalScores(report.evals);
  return [...new Set(last.map(({ task }) => task))]
    .map((task) => {
      const scores = last.filter((score) => score.task === task);
      const { metric, higherIsBetter, chance } = scores[0]!;
      const value = (number: number): string =>
        metric === 'accuracy' ? percentText(number) : number.toFixed(4);
      const rows = scores.map(({ model, seed, score, interval, items, tokens }) => [
        model,
        String(seed),
        value(score),
        interval === null ? '' : interval.map(value).join(' to '),
        countText(items),
        countText(tokens),
      ]);
      const guess = chance === null ? '' : `; guessing scores ${value(chance)}`;
      const better = `${metric}, ${higherIsBetter ? 'higher' : 'lower'} is better${guess}`;
      const head = wrap(terminal, `Eval: ${task} (${better})`);
      const columns = ['Model', 'Seed', 'Score', '95%', 'Items', 'Trained on'];
      const tests = report.comparisons.filter((one) => one.task === task);
      const told = tests.map(({ sentence }) => `${wrap(terminal, sentence)}\n`).join('');
      return `${styled(terminal, 'bold', head)}\n${table(terminal, columns, rows)}${told}`;
    })
    .join('\n');
}

const SUBJECTS = {
  context: 'Step time',
  decode: 'Time per token',
  tokens: 'Loss after equal tokens',
  seconds: 'Loss after equal time',
  flops: 'Loss after equal FLOPs',
} as const;

/** The result, in sentences. */
function crossoverText(terminal: Terminal, report: Report): string {
  const axes = [...new Set(report.crossovers.map(({ axis }) => axis))];
  return axes
    .flatMap((axis) => {
      const { shown, others } = foremost(report, axis);
      const more = others.length === 0 ? [] : [`${others.length} more pairs are in the report.`];
      return [...shown.map(({ sentence }) => sentence), ...more].map(
        (sentence) => `${styled(terminal, 'green', wrap(terminal, `${SUBJECTS[axis]}: ${sentence}`))}\n`,
      );
    })
    .join('');
}

function remarks(terminal: Terminal, report: Report): string {
  const problems = report.problems.map(({ message, model, file, line }) => {
    const place =
      file === null || message.includes(file) ? '' : ` (${file}${line === null ? '' : `:${line}`})`;
    const who = model === null || message.includes(model) ? '' : `${model}: `;
    return styled(terminal, 'red', wrap(terminal, `${who}${message}${place}`));
  });
  const notes = report.notes.map((note) => wrap(terminal, note));
  return [...notes, ...problems].map((line) => `${line}\n`).join('');
}

const wrap = (terminal: Terminal, text: string): string => wrapTo(text, terminal.width);
