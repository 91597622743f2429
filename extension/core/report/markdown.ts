/** A report as Markdown: what was found first, then the numbers, for agents and for pasting into a discussion. */
import { finalScores } from '../../shared/finalScores.js';
import type { Estimate, Report } from '../../shared/report.js';
import { bytes, count, flops, integer, milliseconds, percent, plusMinus, range } from '../../shared/units.js';
import type { Description } from '../engine/requests.js';

/** All of a report. */
export function reportMarkdown(report: Report, folder: string): string {
  const { title, status, environment: on } = report;
  const machine =
    on === null
      ? ''
      : `${on.cpu}, ${on.threads} threads, ${on.instructionSet}, ${on.precision}, Crossover ${on.crossover}`;
  return [
    `# ${title}${status === 'done' ? '' : ` (${status})`}`,
    report.crossovers.map(({ sentence }) => `* ${sentence}`).join('\n'),
    machine,
    modelsTable(report),
    timingTable(report),
    decodeTable(report),
    lossTable(report),
    evalTable(report),
    [...report.notes, ...report.problems.map(({ message, model }) => problemText(message, model))]
      .map((text) => `* ${text}`)
      .join('\n'),
    `Run folder: ${folder}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const problemText = (message: string, model: string | null): string =>
  `Problem: ${model === null || message.includes(model) ? '' : `${model}: `}${message}`;

function table(heading: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [`## ${heading}`, '', line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

const within = ({ median, interval }: Estimate): string =>
  `${milliseconds(median)} (${range(interval, milliseconds)})`;

function modelsTable({ models }: Report): string {
  const rows = models.map(({ label, source, parameters }) => [label, source, count(parameters)]);
  return table('Models', ['Model', 'Source', 'Parameters'], rows);
}

function timingTable({ timing, tokensPerStep, control }: Report): string {
  const rows = timing.map((point) => [
    point.model,
    integer(point.context),
    within(point.step),
    count(point.tokensPerSecond),
    bytes(point.peakBytes),
    point.shareOfPeak === null ? '-' : percent(point.shareOfPeak),
  ]);
  const tokens = tokensPerStep === null ? '' : `, ${integer(tokensPerStep)} tokens per step`;
  const columns = ['Model', 'Context', 'Step (95%)', 'Tokens/s', 'Peak memory', 'Of peak'];
  return table(`Training steps${tokens}`, columns, rows) + noise(control);
}

function decodeTable({ decode, decodeControl }: Report): string {
  const rows = decode.map((point) => [
    point.model,
    integer(point.context),
    within(point.token),
    count(point.tokensPerSecond),
    bytes(point.stateBytes),
    milliseconds(point.prompt.median),
  ]);
  const columns = ['Model', 'Context', 'Token (95%)', 'Tokens/s', 'State', 'Prompt'];
  return table('Decoding, one sequence at a time', columns, rows) + noise(decodeControl);
}

function noise(control: Report['control']): string {
  if (control.length === 0) return '';
  const places = control.map(
    ({ context, spread, busy }) =>
      `${integer(context)}: ${plusMinus(spread)}${busy ? " (the machine was busy: can't tell inside this)" : ''}`,
  );
  return `\n\nA/A control, ${control[0]!.model} against itself, by context: ${places.join(', ')}.`;
}

function lossTable({ loss }: Report): string {
  const rows = loss.map(({ model, seed, points, heldOut }) => [
    model,
    String(seed),
    integer(points.at(-1)?.tokens ?? 0),
    points.at(-1)?.loss.toFixed(4) ?? '-',
    heldOut.at(-1)?.loss.toFixed(4) ?? '-',
    heldOut.at(-1)?.bitsPerByte?.toFixed(4) ?? '-',
  ]);
  return table('Loss', ['Model', 'Seed', 'Tokens', 'Loss', 'Held-out loss', 'Bits per byte'], rows);
}

function evalTable({ evals }: Report): string {
  const rows = finalScores(evals).map(({ model, task, seed, metric, score, interval, chance }) => [
    model,
    task,
    String(seed),
    metric,
    score.toFixed(4),
    interval === null ? '-' : interval.map((value) => value.toFixed(4)).join('-'),
    chance === null ? '-' : chance.toFixed(4),
  ]);
  return table('Evals', ['Model', 'Task', 'Seed', 'Metric', 'Score', '95%', 'Guessing'], rows);
}

const LINES = 15;

/** What a trace counted. */
export function descriptionMarkdown(found: Description, context: number, batch: number): string {
  const total = found.flopsForward + found.flopsBackward;
  const rows = [...found.lines]
    .sort((a, b) => b.flopsForward + b.flopsBackward - a.flopsForward - a.flopsBackward)
    .slice(0, LINES)
    .map((line) => [
      `${line.file}:${line.line}`,
      flops(line.flopsForward),
      flops(line.flopsBackward),
      percent(total === 0 ? 0 : (line.flopsForward + line.flopsBackward) / total),
    ]);
  return [
    `# ${found.label}, context ${integer(context)}, batch ${integer(batch)}`,
    `${integer(found.parameters)} parameters (${integer(found.embeddingParameters)} only looked up), ${flops(found.flopsForward)} forward, ${flops(found.flopsBackward)} backward, ${bytes(found.peakBytes)} peak memory of a training step, ${integer(found.nodes)} operations.`,
    table('Lines that cost most', ['Line', 'Forward', 'Backward', 'Share of FLOPs'], rows),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}
