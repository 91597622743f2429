/** Language-model tools: agents in the editor trace, benchmark and compare, after the user has agreed. */
import * as vscode from 'vscode';
import {
  experimentOf,
  readInput,
  TOOL_NAMES,
  TOOLS,
  type ToolName,
  traceInput,
} from '../core/agents/tools.js';
import { descriptionMarkdown, reportMarkdown } from '../core/report/markdown.js';
import { Store, type Disposable } from '../host/disposable.js';
import type { Services } from '../host/services.js';
import { RESTRICTED } from '../host/trust.js';

export function registerLanguageModelTools(services: Services): Disposable {
  const store = new Store();
  for (const name of TOOL_NAMES)
    store.add(vscode.lm.registerTool(`crossover_${name}`, toolOf(services, name)));
  return store;
}

function toolOf(services: Services, name: ToolName): vscode.LanguageModelTool<object> {
  const { title } = TOOLS[name];
  return {
    prepareInvocation: ({ input }) => ({
      invocationMessage: `${title}: ${modelsOf(input)}`,
      confirmationMessages: { title, message: question(name, input) },
    }),
    invoke: async ({ input }, token) => {
      if (!vscode.workspace.isTrusted) throw new Error(RESTRICTED);
      const text = await (name === 'trace'
        ? traced(services, input)
        : measured(services, name, input, token));
      return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(text)]);
    },
  };
}

function modelsOf(input: object): string {
  const { model, models } = input as { readonly model?: unknown; readonly models?: unknown };
  return Array.isArray(models) ? models.map(String).join(', ') : String(model);
}

function question(name: ToolName, input: object): string {
  readInput(name, input);
  return name === 'trace'
    ? vscode.l10n.t('Trace {0} in the sandbox? Nothing is run natively.', modelsOf(input))
    : vscode.l10n.t(
        'Measure {0} on this machine? It keeps the processor busy for minutes, and the results panel can cancel it.',
        modelsOf(input),
      );
}

async function traced({ engine, runs }: Services, input: object): Promise<string> {
  const { model, context, batch, vocab } = traceInput(input);
  const found = await engine.describe({
    model: { source: model },
    root: runs.rootFor(),
    context,
    batch,
    vocab,
    precision: 'fp32',
  });
  return descriptionMarkdown(found, context, batch);
}

/** Starts the run like every run of the window, and waits for its end. */
async function measured(
  { runs, log }: Services,
  name: Exclude<ToolName, 'trace'>,
  input: object,
  token: vscode.CancellationToken,
): Promise<string> {
  const experiment = experimentOf(name, input);
  log.info(`Starting for a tool: ${JSON.stringify(experiment)}`);
  const folder = await runs.start(experiment, runs.rootFor());
  const cancelling = token.onCancellationRequested(() => void runs.cancel(folder));
  try {
    await runs.whenEnded(folder);
  } finally {
    cancelling.dispose();
  }
  return reportMarkdown(await runs.read(folder), folder);
}
