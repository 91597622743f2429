/** Progress with cancel, a status bar item, the log, and a message when a run ends in a way that needs one. */
import * as vscode from 'vscode';
import { Replaceable, soon, Store, type Disposable } from '../host/disposable.js';
import { escapeMarkdown } from '../host/annotationText.js';
import { readEngineLog } from '../host/engineLog.js';
import { sentence } from '../host/log.js';
import type { RunReport } from '../host/runs.js';
import { statusWord } from '../host/runWords.js';
import type { Services } from '../host/services.js';
import { startAgain } from '../host/startExperiment.js';
import { never } from '../shared/protocol.js';
import type { Report } from '../shared/report.js';
import { about, duration } from '../shared/units.js';

/** `42%, 1 min left`. */
function fractionText({ progress }: Report): string {
  if (progress === null) return vscode.l10n.t('starting');
  const left =
    progress.secondsLeft === null ? '' : `, ${vscode.l10n.t('{0} left', duration(progress.secondsLeft))}`;
  return `${Math.floor(progress.fraction * 100)}%${left}`;
}

export function registerRunProgress(services: Services, show: (folder: string) => Promise<void>): Disposable {
  const { runs, log } = services;
  const store = new Store();
  const notification = store.add(new Replaceable<Notification>());
  const status = store.add(
    vscode.window.createStatusBarItem('crossover.run', vscode.StatusBarAlignment.Left, 0),
  );
  status.name = 'Crossover';
  let message = '';

  store.add(
    runs.onDidReport(({ folder, report }) => {
      if (report.status !== 'running') return;
      if (notification.value?.folder !== folder)
        notification.value = new Notification(folder, report.title, () => runs.cancel(folder));
      notification.value.update(report);
      status.text = `$(sync~spin) Crossover ${fractionText(report)}`;
      status.tooltip = `${report.title}: ${report.progress?.message ?? vscode.l10n.t('starting')}`;
      status.command = openCommand(folder);
      status.show();
      if (report.progress !== null && report.progress.message !== message) {
        message = report.progress.message;
        log.info(message);
      }
    }),
  );
  const rest = (folder: string, report: Report): void => {
    status.text = restText(report);
    status.tooltip = restTooltip(report);
    status.command = openCommand(folder);
    status.show();
  };
  const showLast = async (): Promise<void> => {
    let last: RunReport | undefined;
    for await (const run of runs.newestFirst(({ status }) => status === 'done')) {
      last ??= run;
      if (crossoverOf(run.report) === undefined) continue;
      last = run;
      break;
    }
    if (last === undefined || runs.active !== null) status.hide();
    else rest(last.folder, last.report);
  };
  const showLastSoon = (): void => {
    showLast().catch((error: unknown) => {
      log.warn(sentence(error));
    });
  };
  store.add(
    runs.onDidEnd((end) => {
      notification.value = undefined;
      if (end.report.status === 'done' && crossoverOf(end.report) === undefined) showLastSoon();
      else rest(end.folder, end.report);
      void tell(services, end, show);
    }),
  );
  store.add(soon(showLastSoon));
  store.add(
    runs.onDidFail((error) => {
      notification.value = undefined;
      status.hide();
      log.error(sentence(error));
      void vscode.window.showErrorMessage(sentence(error));
    }),
  );
  return store;
}

const crossoverOf = ({ crossovers }: Report): Report['crossovers'][number] | undefined =>
  crossovers.find(({ axis, at }) => axis === 'context' && at !== null);

function openCommand(folder: string): vscode.Command {
  return { command: 'crossover.runs.open', title: vscode.l10n.t('Open Results'), arguments: [{ folder }] };
}

/** Between runs: the last crossover over context, in a few words. */
function restText(report: Report): string {
  if (report.status !== 'done') return `$(beaker) Crossover: ${statusWord(report.status)}`;
  const found = crossoverOf(report);
  return found?.at == null
    ? '$(beaker) Crossover'
    : `$(beaker) ${vscode.l10n.t('{0} faster from {1} tokens', found.after, about(found.at))}`;
}

function restTooltip({ title, crossovers, startedAt }: Report): vscode.MarkdownString {
  const lines = [`**${escapeMarkdown(title)}**, ${new Date(startedAt).toLocaleString()}`];
  return new vscode.MarkdownString(
    [...lines, ...crossovers.map(({ sentence: text }) => escapeMarkdown(text))].join('\n\n'),
  );
}

/** Says how a run ended, with what to do next. */
async function tell(
  services: Services,
  { folder, report }: RunReport,
  show: (folder: string) => Promise<void>,
): Promise<void> {
  const { log } = services;
  log.info(`${report.title}: ${report.status}`);
  for (const problem of report.problems) {
    const place =
      problem.file === null ? '' : ` (${problem.file}${problem.line === null ? '' : `:${problem.line}`})`;
    log.error(`${problem.message}${place}`);
  }
  const actions = {
    'Open Results': () => show(folder),
    'Show Log': () => {
      log.show(true);
    },
    'Run Again': () => startAgain(services, folder),
  };
  const ask = async (
    kind: typeof vscode.window.showErrorMessage,
    text: string,
    names: readonly (keyof typeof actions)[],
  ): Promise<void> => {
    const labels: Readonly<Record<keyof typeof actions, string>> = {
      'Open Results': vscode.l10n.t('Open Results'),
      'Show Log': vscode.l10n.t('Show Log'),
      'Run Again': vscode.l10n.t('Run Again'),
    };
    const answer = await kind(text, ...names.map((item) => labels[item]));
    const name = names.find((item) => labels[item] === answer);
    if (name !== undefined) await actions[name]();
  };
  switch (report.status) {
    case 'running':
    case 'done':
      return;
    case 'cancelled':
      return ask(
        vscode.window.showInformationMessage,
        vscode.l10n.t('The run of {0} was cancelled; what was measured until then is kept.', report.title),
        ['Open Results', 'Run Again'],
      );
    case 'interrupted':
      log.error(await readEngineLog(folder));
      return ask(
        vscode.window.showErrorMessage,
        vscode.l10n.t(
          'The engine stopped before the run of {0} was finished: what was measured is kept; run it again, or see the log for the reason.',
          report.title,
        ),
        ['Run Again', 'Open Results', 'Show Log'],
      );
    case 'failed':
      log.error(await readEngineLog(folder));
      return ask(
        vscode.window.showErrorMessage,
        report.problems[0]?.message ??
          vscode.l10n.t('The run of {0} failed: see the log for the reason.', report.title),
        ['Show Log', 'Open Results'],
      );
    default:
      return never(report.status);
  }
}

/** A progress notification with a cancel button that lives as long as its run. */
class Notification implements Disposable {
  private finish: () => void = () => undefined;
  private progress: vscode.Progress<{ message?: string; increment?: number }> | undefined;
  private shown = 0;

  constructor(
    readonly folder: string,
    title: string,
    cancel: () => Promise<void>,
  ) {
    void vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title, cancellable: true },
      (progress, token) => {
        this.progress = progress;
        token.onCancellationRequested(() => void cancel());
        return new Promise<void>((resolve) => {
          this.finish = resolve;
        });
      },
    );
  }

  update(report: Report): void {
    const percent = Math.floor((report.progress?.fraction ?? 0) * 100);
    const increment = Math.max(0, percent - this.shown);
    this.shown += increment;
    const message = `${report.progress?.message ?? vscode.l10n.t('starting')} (${fractionText(report)})`;
    this.progress?.report({ message, increment });
  }

  dispose(): void {
    this.finish();
  }
}
