/**
 * Asks for the expression that builds a model: once per class, with a guess from the file's text. What is answered is
 * traced before it is kept in crossover.json, so that what is kept there builds a model.
 */
import * as vscode from 'vscode';
import { Store } from './disposable.js';
import { guessEntries } from './guessEntry.js';
import { sentence } from './log.js';
import type { Services } from './services.js';

export interface AskEntryOptions {
  /** The likeliest model of the file when left out. */
  readonly className?: string;
  /** Asks even when an expression is kept. */
  readonly again?: boolean;
}

/** The expression that builds a model of a file; `undefined` when the user escapes. */
export async function askEntry(
  document: vscode.TextDocument,
  services: Services,
  { className, again = false }: AskEntryOptions = {},
): Promise<string | undefined> {
  const guesses = guessEntries(document.getText());
  const wanted = guesses.filter((guess) => className === undefined || guess.className === className);
  const place = vscode.workspace.asRelativePath(document.uri);
  const kept = await Promise.all(
    wanted.map(async (guess) => ({
      name: guess.className,
      expression: await services.entries.get(document.uri, guess.className),
    })),
  );
  const stored = kept.find(({ expression }) => expression !== undefined);
  if (stored?.expression !== undefined && !again) return stored.expression;
  const name = stored?.name ?? className ?? wanted[0]?.className;
  if (name === undefined)
    throw new Error(
      vscode.l10n.t(
        '{0} defines no class that derives from nn.Module: open the file that defines the model, then run the command again.',
        place,
      ),
    );
  const expression = await askAndTrace(
    vscode.l10n.t('How is {0} of {1} built?', name, place),
    stored?.expression ?? wanted[0]?.expression ?? '',
    (text) => trace(document, services, text),
  );
  if (expression !== undefined) await services.entries.set(document.uri, name, expression);
  return expression;
}

/** Rejects with what is wrong with the expression, and where. */
async function trace(
  document: vscode.TextDocument,
  { engine, runs, settings }: Services,
  expression: string,
): Promise<void> {
  if (document.isDirty) await document.save();
  const { contexts, vocabulary } = settings.value;
  await engine.describe({
    model: { source: `${document.uri.fsPath}::${expression}` },
    root: runs.rootFor(document.uri),
    context: Math.min(...contexts),
    batch: 1,
    vocab: vocabulary,
    precision: 'fp32',
  });
}

/** An input box that stays open until what is typed passes `check`. */
function askAndTrace(
  title: string,
  value: string,
  check: (text: string) => Promise<void>,
): Promise<string | undefined> {
  const store = new Store();
  const box = store.add(vscode.window.createInputBox());
  box.title = title;
  box.prompt = vscode.l10n.t(
    'A Python expression with T (context length), V (vocabulary size) and B (batch) defined',
  );
  box.placeholder = 'GPT(GPTConfig(block_size=T, vocab_size=V))';
  box.value = value;
  box.ignoreFocusOut = true;
  return new Promise<string | undefined>((resolve) => {
    const end = (answer: string | undefined): void => {
      resolve(answer);
      store.dispose();
    };
    store.add(
      box.onDidChangeValue((text) => {
        box.validationMessage = problemOf(text);
      }),
    );
    store.add(
      box.onDidAccept(async () => {
        const text = box.value.trim();
        box.validationMessage = problemOf(text);
        if (box.validationMessage !== undefined || box.busy) return;
        [box.busy, box.enabled] = [true, false];
        box.prompt = vscode.l10n.t('Tracing the model...');
        try {
          await check(text);
          end(text);
        } catch (error) {
          [box.busy, box.enabled] = [false, true];
          box.validationMessage = sentence(error);
        }
      }),
    );
    store.add(box.onDidHide(() => end(undefined)));
    box.show();
  });
}

function problemOf(text: string): string | undefined {
  if (text.trim() === '')
    return vscode.l10n.t(
      'Type an expression that builds the model, e.g. GPT(GPTConfig(block_size=T, vocab_size=V)).',
    );
  return text.includes('...') ? vscode.l10n.t('Replace each ... with a value.') : undefined;
}
