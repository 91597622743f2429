/** A report as tables, small plots and sentences. */
import type { Estimate, Report, TimingPoint } from '../../shared/report.js';
import { styled, type Terminal } from '../terminal.js';
import { plot } from './plot.js';
import { table } from './table.js';
import { wrap as wrapTo } from './wrap.js';
import { bytesText, countText, flopRateText, millisecondsText, percentText, significant } from './units.js';

/** All of a report, for standard output. */
export function reportText(terminal: Terminal, report: Report): string {
  return [
    heading(terminal, report),
    timingText(terminal, report),
    lossText(terminal, report),
    evalText(terminal, report),
    crossoverText(terminal, report),
    remarks(terminal, report),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function heading(terminal: Terminal, report: Report): string {
  const { environment: on } = report;
  const lines = [
    styled(terminal, 'bold', report.title) + (report.status === 'done' ? '' : `  (${report.status})`),
  ];
  if (on !== null) {
    const peak =
      on.peakFlopsPerSecond === null
        ? ''
        : `, matrix-product peak ${flopRateText(on.peakFlopsPerSecond)} (measured in this run)`;
    const library = on.oneDnn === null ? 'portable matrix product' : `oneDNN ${on.oneDnn}`;
    lines.push(`${on.cpu}, ${on.threads} threads, ${on.instructionSet}, ${library}, ${on.precision}${peak}`);
    if (on.dataDescription !== null)
      lines.push(`Text: ${on.dataDescription}, SHA-256 ${on.dataHash?.slice(0, 16) ?? ''}`);
  }
  const rows = report.models.map(({ label, parameters, embeddingParameters, file }) => [
    label,
    countText(parameters),
    countText(parameters - embeddingParameters),
    file.split(/[/\\]/).at(-1) ?? file,
  ]);
  const models =
    rows.length === 0 ? '' : `\n${table(terminal, ['Model', 'Parameters', 'Without lookups', 'File'], rows)}`;
  return `${lines.join('\n')}\n${models}`;
}

const plusMinus = ({ median, interval }: Estimate): string =>
  `${percentText(Math.max(interval[1] - median, median - interval[0]) / median)}`;

function timingText(terminal: Terminal, report: Report): string {
  if (report.timing.length === 0) return '';
  const points = [...report.timing].sort((a, b) => a.context - b.context);
  const rows = points.map((point) => [
    point.model,
    String(point.context),
    String(point.batch),
    millisecondsText(point.step.median),
    `±${plusMinus(point.step)}`,
    significant(point.forwardMs),
    significant(point.backwardMs),
    significant(point.optimizerMs),
    countText(point.tokensPerSecond),
    bytesText(point.peakBytes),
    point.shareOfPeak === null ? '' : percentText(point.shareOfPeak),
  ]);
  const columns = [
    'Model',
    'Context',
    'Batch',
    'Step',
    '95%',
    'Forward',
    'Backward',
    'Optim.',
    'Tokens/s',
    'Memory',
    'Of peak',
  ];
  const mark = report.crossovers.find(({ axis, at }) => axis === 'context' && at !== null)?.at ?? null;
  const curves = names(points).map((model) => ({
    label: model,
    points: points
      .filter((point) => point.model === model)
      .map(({ context, step }) => ({ x: context, y: step.median })),
  }));
  const chart = plot(terminal, curves, { title: 'Step, ms, against context', logX: true, logY: true, mark });
  const tokens = report.tokensPerStep === null ? '' : `, ${report.tokensPerStep} tokens per step`;
  const control = report.control.map(({ model, context, ratio, interval }) => {
    const range = `${ratio.toFixed(3)} (${interval[0].toFixed(3)}-${interval[1].toFixed(3)})`;
    return `${context}: ${range}${report.control[0]!.model === model ? '' : ` ${model}`}`;
  });
  const noise =
    control.length === 0
      ? ''
      : `${wrap(terminal, `A/A control, ${report.control[0]!.model} against itself, ratio of medians at context ${control.join(', ')}.`)}\n`;
  return `${styled(terminal, 'bold', `Timing (whole step: forward, loss, backward, clipping, optimizer${tokens})`)}\n${table(terminal, columns, rows)}${noise}\n${chart}`;
}

const names = (points: readonly TimingPoint[]): string[] => [...new Set(points.map(({ model }) => model))];

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
  const rows = report.evals.map(({ model, task, seed, metric, score, interval, chance, items }) => [
    model,
    task,
    String(seed),
    metric,
    metric === 'accuracy' ? percentText(score) : score.toFixed(4),
    interval === null
      ? ''
      : interval.map((end) => (metric === 'accuracy' ? percentText(end) : end.toFixed(4))).join(' to '),
    chance === null ? '' : percentText(chance),
    countText(items),
  ]);
  return `${styled(terminal, 'bold', 'Evals')}\n${table(terminal, ['Model', 'Task', 'Seed', 'Metric', 'Score', '95%', 'Chance', 'Items'], rows)}`;
}

function crossoverText(terminal: Terminal, report: Report): string {
  if (report.crossovers.length === 0) return '';
  return `${report.crossovers.map(({ sentence }) => styled(terminal, 'green', wrap(terminal, sentence))).join('\n')}\n`;
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
