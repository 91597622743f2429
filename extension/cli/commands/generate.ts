import { type Tokenizer, tokenizerFor } from '../../core/data/tokenStream.js';
import type { Decoded } from '../../core/engine/requests.js';
import { resolveModel } from '../../core/experiments/modelSource.js';
import { UsageError } from '../../core/experiments/usageError.js';
import type { Arguments, Command, ExitCode } from '../command.js';
import {
  dataOf,
  HEADS_OPTION,
  LAUNCH_OPTIONS,
  machineOf,
  MACHINE_OPTIONS,
  MODEL_DETAILS,
  modelOf,
  TOKENIZER_OPTIONS,
  VOCAB_OPTION,
  vocabOf,
  WEIGHTS_OPTION,
} from '../options.js';
import { bytesText, countText, millisecondsText } from '../text/units.js';
import { wrap } from '../text/wrap.js';
import { withEngine } from '../withEngine.js';

/** Tokens asked for at a time: few enough for text to flow. */
const AT_A_TIME = 8;
const DEFAULT_PROMPT = '\n';
const DEFAULT_COUNT = 100;

/** Text, token by token. */
export const generate: Command = {
  name: 'generate',
  summary: 'Continues a prompt, token by token.',
  usage: 'MODEL --weights FILE [--prompt TEXT] [options]',
  details: `${MODEL_DETAILS}
The forward pass is decoded as it stands: attention keeps its keys and values, a recurrence its state. The text goes to standard
output as it is made, the rates to standard error.`,
  options: [
    { name: 'prompt', value: 'TEXT', help: 'text to continue; default a line break' },
    { name: 'prompt-tokens', value: 'N,N...', help: 'the prompt as token ids' },
    { name: 'max-new-tokens', value: 'N', help: `tokens to make; default ${DEFAULT_COUNT}` },
    { name: 'temperature', value: 'X', help: 'divides the logits; 0 takes the likeliest token; default 1' },
    { name: 'top-k', value: 'N', help: 'draw from the N likeliest tokens; default all' },
    { name: 'top-p', value: 'X', help: 'draw from the likeliest tokens of probability X; default 1' },
    { name: 'seed', value: 'N', help: 'seed of the draws, and of weights without a file; default 0' },
    ...TOKENIZER_OPTIONS,
    WEIGHTS_OPTION,
    HEADS_OPTION,
    VOCAB_OPTION,
    ...MACHINE_OPTIONS,
    ...LAUNCH_OPTIONS,
  ],
  async run(args, terminal): Promise<ExitCode> {
    const model = modelOf(args, 'generate');
    const { precision, threads } = machineOf(args);
    const vocab = vocabOf(args, () => resolveModel(model, process.cwd()).vocab);
    const tokenizer = tokenizerFor(dataOf(args));
    const prompt = promptOf(args, tokenizer, vocab);
    const count = args.whole('max-new-tokens', 1) ?? DEFAULT_COUNT;
    const topP = args.number('top-p') ?? 1;
    if (topP > 1 || topP === 0)
      throw new UsageError(`--top-p takes a probability above 0 and up to 1, not ${topP}.`);
    const asJson = args.has('json');
    return withEngine(async (engine): Promise<ExitCode> => {
      const opened = await engine.ask<'openDecoder'>({
        method: 'openDecoder',
        model,
        root: process.cwd(),
        capacity: prompt.length + count,
        vocab,
        precision,
        seed: args.whole('seed', 0) ?? 0,
        ...(threads === undefined ? {} : { threads }),
        prompt,
        sampling: { temperature: args.number('temperature') ?? 1, topK: args.whole('top-k', 1) ?? 0, topP },
      });
      for (const note of opened.weightNotes) terminal.err(`${note}\n`);
      const text = new TextDecoder();
      const made: Decoded[] = [];
      let shown = '';
      for (let left = count; left > 0; left -= AT_A_TIME) {
        const some = await engine.ask<'decode'>({ method: 'decode', count: Math.min(left, AT_A_TIME) });
        made.push(some);
        const piece = some.tokens.map((id) => text.decode(tokenizer.decode(id), { stream: true })).join('');
        shown += piece;
        if (!asJson) terminal.out(piece);
      }
      const tokens = made.flatMap((some) => some.tokens);
      const ms = made.reduce((sum, some) => sum + some.ms, 0);
      const figures = {
        model: opened.label,
        promptTokens: prompt.length,
        promptMs: opened.promptMs,
        tokensPerSecond: (1000 * tokens.length) / ms,
        stateBytes: made.at(-1)?.stateBytes ?? opened.stateBytes,
      };
      if (asJson) terminal.out(`${JSON.stringify({ ...figures, tokens, text: shown })}\n`);
      else terminal.out('\n');
      const said = `${opened.label}: prompt of ${prompt.length} tokens in ${millisecondsText(figures.promptMs)}, then ${countText(figures.tokensPerSecond)} tokens/s; state ${bytesText(figures.stateBytes)}.`;
      terminal.err(`${wrap(said, terminal.width)}\n`);
      return 0;
    });
  },
};

function promptOf(args: Arguments, tokenizer: Tokenizer, vocab: number): readonly number[] {
  const ids = args.wholes('prompt-tokens', 0);
  const text = args.text('prompt');
  if (ids !== undefined && text !== undefined)
    throw new UsageError('--prompt and --prompt-tokens both name a prompt: give one of them.');
  const prompt = ids ?? [...tokenizer.encode(Buffer.from(text ?? DEFAULT_PROMPT))];
  if (prompt.length === 0) throw new UsageError('The prompt is empty: a model needs at least one token.');
  const outside = prompt.find((token) => token >= vocab);
  if (outside !== undefined)
    throw new UsageError(
      `Token ${outside} of the prompt is outside the vocabulary of ${vocab}: set it with --vocab.`,
    );
  return prompt;
}
