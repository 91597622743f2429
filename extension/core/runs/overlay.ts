/** Several runs as one report, with what makes them unlike said. Pure. */
import path from 'node:path';
import { modelLabels } from '../../shared/modelLabels.js';
import { labelInRun } from '../../shared/overlayLabel.js';
import type { Crossover, Environment, Report, RunStatus } from '../../shared/report.js';
import { integer } from '../../shared/units.js';
import { compareEvals } from './comparisons.js';
import { lossCrossovers, stepTime, timeCrossovers, tokenTime } from './crossovers.js';

export interface OverlaidReport {
  /** Folder that files of models are read from. */
  readonly root: string;
  readonly report: Report;
}

/** Beyond so many models, pairs across runs are those of the same model only. */
const MOST_MODELS = 6;

/** A run of the overlay, with its models' labels said by run. */
interface Tagged {
  readonly tag: string;
  readonly report: Report;
}

/** One report of several, in the order given; one run stays as it is. */
export function overlay(runs: readonly OverlaidReport[]): Report {
  const [first] = runs;
  if (first === undefined) throw new Error('No run is shown: choose one.');
  if (runs.length === 1) return first.report;
  const tags = tagsOf(runs.map(({ report }) => report));
  const tagged = runs.map((run, index) => tagRun(run, tags[index]!));
  const reports = tagged.map(({ report }) => report);
  const all = <T>(of: (report: Report) => readonly T[]): T[] => reports.flatMap(of);
  return {
    id: reports.map(({ id }) => id).join('+'),
    title: [...new Set(reports.map(({ title }) => title))].join(', together with '),
    status: statusOf(reports.map(({ status }) => status)),
    startedAt: Math.max(...reports.map(({ startedAt }) => startedAt)),
    finishedAt: null,
    models: all(({ models }) => models),
    environment: commonEnvironment(reports),
    tokensPerStep: common(reports.map(({ tokensPerStep }) => tokensPerStep)),
    timing: all(({ timing }) => timing),
    control: all(({ control }) => control),
    decode: all(({ decode }) => decode),
    decodeControl: all(({ decodeControl }) => decodeControl),
    loss: all(({ loss }) => loss),
    evals: all(({ evals }) => evals),
    evalItems: all(({ evalItems }) => evalItems),
    comparisons: comparisonsOf(reports),
    crossovers: crossoversOf(reports),
    notes: tagged.flatMap(({ tag, report }) => report.notes.map((note) => `${tag}: ${note}`)),
    problems: tagged.flatMap(({ tag, report }) =>
      report.problems.map((problem) => ({ ...problem, message: `${tag}: ${problem.message}` })),
    ),
    progress: reports.find(({ status }) => status === 'running')?.progress ?? null,
    overlay: {
      runs: tagged.map(({ tag, report }) => ({ tag, title: report.title, status: report.status })),
      warnings: warningsOf(tagged),
    },
  };
}

/** `Nov 26, 14:05`, with a number where that is the same. */
function tagsOf(reports: readonly Report[]): string[] {
  const times = reports.map(({ startedAt }) =>
    new Date(startedAt).toLocaleString('en-US', {
      month: 'short',
      day: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    }),
  );
  return times.map((time, index) => {
    const before = times.slice(0, index).filter((other) => other === time).length;
    return times.filter((other) => other === time).length > 1 ? `${time} (${before + 1})` : time;
  });
}

function tagRun({ root, report }: OverlaidReport, tag: string): Tagged {
  const mark = <T extends { readonly model: string }>(items: readonly T[]): T[] =>
    items.map((item) => ({ ...item, model: labelInRun(item.model, tag) }));
  const placed = <T extends { readonly file: string }>(cost: T): T =>
    cost.file === '' ? cost : { ...cost, file: path.resolve(root, cost.file) };
  return {
    tag,
    report: {
      ...report,
      models: report.models.map((model) => ({ ...model, label: labelInRun(model.label, tag) })),
      timing: mark(report.timing).map(({ parts, ...point }) => ({
        ...point,
        lines: point.lines.map(placed),
        ...(parts === undefined ? {} : { parts: parts.map(placed) }),
      })),
      control: mark(report.control),
      decode: mark(report.decode),
      decodeControl: mark(report.decodeControl),
      loss: mark(report.loss),
      evals: mark(report.evals),
      evalItems: mark(report.evalItems),
    },
  };
}

function statusOf(statuses: readonly RunStatus[]): RunStatus {
  if (statuses.includes('running')) return 'running';
  return statuses.find((status) => status !== 'done') ?? 'done';
}

function common<T>(values: readonly T[]): T | null {
  const [first] = values;
  return first !== undefined && values.every((value) => value === first) ? first : null;
}

/** Crossovers of every pair, by the controls of their own runs; over losses only where the text was the same. */
function crossoversOf(reports: readonly Report[]): Crossover[] {
  const models = reports.flatMap((report, run) => modelLabels(report).map((label) => ({ label, run })));
  const pairs = models.flatMap((a, i) => models.slice(i + 1).map((b) => [a, b] as const));
  return pairs.flatMap(([a, b]) => {
    const [left, right] = [reports[a.run]!, reports[b.run]!];
    const [plain, other] = [a, b].map(({ label, run }) => label.slice(0, -tagLength(reports[run]!, label)));
    if (a.run !== b.run && models.length > MOST_MODELS && plain !== other) return [];
    const of = <T extends { readonly model: string }>(items: (report: Report) => readonly T[]): T[] => [
      ...items(left).filter(({ model }) => model === a.label),
      ...items(right).filter(({ model }) => model === b.label),
    ];
    const control = (items: (report: Report) => Report['control']): Report['control'] =>
      a.run === b.run ? items(left) : [...items(left), ...items(right)];
    return [
      ...(left.tokensPerStep === right.tokensPerStep
        ? timeCrossovers(
            'context',
            of(({ timing }) => timing).map(stepTime),
            control((report) => report.control),
            true,
          )
        : []),
      ...timeCrossovers(
        'decode',
        of(({ decode }) => decode).map(tokenTime),
        control((report) => report.decodeControl),
        true,
      ),
      ...(sameText(left, right)
        ? lossCrossovers(
            of(({ loss }) => loss),
            true,
          )
        : []),
    ];
  });
}

/** Characters of the run in a label: those after the model's own. */
function tagLength({ models }: Report, label: string): number {
  return models.some((model) => model.label === label) ? label.length - label.lastIndexOf(' · ') : 0;
}

function sameText(left: Report, right: Report): boolean {
  if (left === right) return true;
  const hash = left.environment?.dataHash ?? null;
  return hash !== null && hash === right.environment?.dataHash;
}

/** Tests within runs, and across them where text and Crossover were the same, so that items are. */
function comparisonsOf(reports: readonly Report[]): Report['comparisons'] {
  const groups = new Map<string, Report[]>();
  reports.forEach((report, index) => {
    const { dataHash = null, crossover = null } = report.environment ?? {};
    const key = dataHash === null ? String(index) : `${dataHash} ${crossover}`;
    groups.set(key, [...(groups.get(key) ?? []), report]);
  });
  return [...groups.values()].flatMap((group) =>
    compareEvals(
      group.flatMap(({ evalItems }) => evalItems),
      group.flatMap(({ evals }) => evals),
    ),
  );
}

type Named = readonly [name: string, of: (environment: Environment) => string];

/** What times depend on, and what losses do. */
const TIME_CONDITIONS: readonly Named[] = [
  ['device', ({ device }) => device],
  ['processor', ({ cpu }) => cpu],
  ['threads', ({ threads }) => String(threads)],
  ['instruction set', ({ instructionSet }) => instructionSet],
  ['matrix library', ({ oneDnn }) => (oneDnn === null ? 'portable kernels' : `oneDNN ${oneDnn}`)],
];
const CONDITIONS: readonly Named[] = [
  ['precision', ({ precision }) => precision],
  ['version of Crossover', ({ crossover }) => crossover],
  [
    'revision of the sources',
    ({ gitCommit, gitDirty }) =>
      gitCommit === null ? 'none' : `${gitCommit.slice(0, 10)}${gitDirty === true ? ' with changes' : ''}`,
  ],
];

/** What the runs' environments agree on; `null` where a chart's conditions differ. */
function commonEnvironment(reports: readonly Report[]): Environment | null {
  const environments = reports.map(({ environment }) => environment);
  const [first] = environments;
  if (first === undefined || first === null) return null;
  const alike = [...TIME_CONDITIONS, ...CONDITIONS.slice(0, 1)].every(([, of]) =>
    environments.every((environment) => environment !== null && of(environment) === of(first)),
  );
  if (!alike) return null;
  const known = environments.filter((environment) => environment !== null);
  const sameData = common(known.map(({ dataHash }) => dataHash));
  return {
    ...first,
    dataHash: sameData,
    dataDescription: sameData === null ? null : first.dataDescription,
    peakFlopsPerSecond: null,
  };
}

function warningsOf(runs: readonly Tagged[]): string[] {
  const known = runs.flatMap(({ tag, report: { environment } }) =>
    environment === null ? [] : [{ tag, environment }],
  );
  const said = ([name, of]: Named, then: string): string[] => {
    const values = known.map(({ tag, environment }) => ({ tag, value: of(environment) }));
    if (new Set(values.map(({ value }) => value)).size < 2) return [];
    const list = values.map(({ tag, value }) => `${value} (${tag})`).join(', ');
    return [`The runs differ in ${name}: ${list}${then}.`];
  };
  const silent = runs.filter(({ report }) => report.environment === null).map(({ tag }) => tag);
  const timed = runs.filter(({ report }) => report.timing.length + report.decode.length > 0);
  const steps = [...new Set(timed.map(({ report }) => report.tokensPerStep).filter((n) => n !== null))];
  const texts = known.filter(({ environment }) => environment.dataHash !== null);
  const text: Named = ['training text', ({ dataHash }) => `SHA-256 ${(dataHash ?? '').slice(0, 12)}`];
  return [
    ...TIME_CONDITIONS.flatMap((one) => said(one, '; their times are not alike')),
    ...CONDITIONS.flatMap((one) => said(one, '')),
    ...(texts.length > 1 ? said(text, '; their losses cannot be compared') : []),
    ...(steps.length > 1
      ? [`The runs differ in tokens per step: ${steps.map(integer).join(', ')}; compare tokens per second.`]
      : []),
    ...silent.map((tag) => `The run of ${tag} does not say what it was measured on.`),
    ...(timed.length > 1
      ? [
          'The runs were not measured in turn: a difference in time between them also holds what has changed on the machine.',
        ]
      : []),
  ];
}
