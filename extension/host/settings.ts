/** Settings as typed values with one event; features receive values and never read the configuration themselves. */
import * as vscode from 'vscode';
import type { Disposable } from './disposable.js';

export interface Settings {
  readonly device: string;
  readonly precision: 'fp32' | 'bf16';
  /** Tokens, ascending, without repetition. */
  readonly contexts: readonly number[];
  readonly tokensPerStep: number;
  /** Timed steps per model and context, at least 5. */
  readonly samples: number;
  /** Tokens; `V` in build expressions. */
  readonly vocabulary: number;
  readonly annotations: boolean;
  /** In a column before the code, or after the end of each line. */
  readonly annotationPosition: 'start' | 'end';
  /** The figures themselves. */
  readonly annotationText: boolean;
  /** Bars behind lines. */
  readonly annotationBackground: boolean;
  /** Marks of hot lines in the overview ruler. */
  readonly annotationRuler: boolean;
  readonly codeLens: boolean;
}

/** Whole numbers of at least 1 among `values`, ascending; the fallback when none is left. */
function positiveIntegers(values: readonly unknown[], fallback: readonly number[]): readonly number[] {
  const kept = values.filter(
    (value): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 1,
  );
  const ascending = [...new Set(kept)].sort((a, b) => a - b);
  return ascending.length > 0 ? ascending : fallback;
}

function read(): Settings {
  const configuration = vscode.workspace.getConfiguration('crossover');
  const number = (key: string, fallback: number, least: number): number =>
    Math.max(least, Math.round(configuration.get<number>(key) ?? fallback));
  return {
    device: configuration.get<string>('device') ?? 'cpu',
    precision: configuration.get<string>('precision') === 'bf16' ? 'bf16' : 'fp32',
    contexts: positiveIntegers(configuration.get<unknown[]>('contexts') ?? [], [128, 256, 512, 1024]),
    tokensPerStep: number('tokensPerStep', 4096, 1),
    samples: number('samples', 5, 5),
    vocabulary: number('vocabulary', 256, 2),
    annotations: configuration.get<boolean>('annotations.enabled') ?? true,
    annotationPosition: configuration.get<string>('annotations.position') === 'start' ? 'start' : 'end',
    annotationText: configuration.get<boolean>('annotations.text') ?? true,
    annotationRuler: configuration.get<boolean>('annotations.ruler') ?? true,
    codeLens: configuration.get<boolean>('codeLens.enabled') ?? true,
    annotationBackground: configuration.get<boolean>('annotations.background') ?? true,
  };
}

/** The current settings and an event for their change. */
export class SettingsSource implements Disposable {
  private readonly changed = new vscode.EventEmitter<Settings>();
  readonly onDidChange = this.changed.event;
  private current = read();
  private readonly listener = vscode.workspace.onDidChangeConfiguration((event) => {
    if (!event.affectsConfiguration('crossover')) return;
    this.current = read();
    this.changed.fire(this.current);
  });

  get value(): Settings {
    return this.current;
  }

  dispose(): void {
    this.listener.dispose();
    this.changed.dispose();
  }
}
