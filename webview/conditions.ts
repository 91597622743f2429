/** What a plot must name for its numbers to mean anything: kernels, width, head size, precision, tokens per step. */
import type { LossCurve, Mixer, ModelInfo, Report } from '../extension/shared/report.js';
import { integer } from '../extension/shared/units.js';

const KERNELS: Readonly<Record<Mixer['kernel'], string>> = {
  attention: 'fused attention',
  wkv4: 'WKV-4',
  wkv6: 'chunked WKV-6',
  wkv7: 'chunked WKV-7',
  gla: 'chunked linear attention',
  selective_scan: 'selective scan',
  lstm: 'LSTM',
};

/** Kernels whose channels keep states of their own. */
const CHANNELS: ReadonlySet<Mixer['kernel']> = new Set(['wkv4', 'selective_scan', 'lstm']);

function mixerText({ kernel, layers, heads, headSize, window }: Mixer): string {
  const near = window === null ? '' : ` within ${integer(window)} tokens`;
  const parts = CHANNELS.has(kernel) ? 'channel' : 'head';
  const size = headSize === 1 ? '' : ` of ${headSize}`;
  return `${layers} × ${KERNELS[kernel]}${near}, ${heads} ${parts}${heads === 1 ? '' : 's'}${size}`;
}

/** `GPT-2: width 384, 6 × fused attention, 6 heads of 64`; `null` for a run that does not say. */
export function modelText({ label, width, mixers }: ModelInfo): string | null {
  const parts = [
    ...(width === undefined || width === null ? [] : [`width ${integer(width)}`]),
    ...(mixers ?? []).map(mixerText),
  ];
  return parts.length === 0 ? null : `${label}: ${parts.join('; ')}`;
}

/** Lines under a plot; `tokensPerStep` where it is the same for all of the plot. */
export function conditions({ environment, models }: Report, tokensPerStep: number | null): string[] {
  const machine =
    environment === null
      ? []
      : [
          environment.precision,
          environment.device === 'cpu' ? environment.cpu : environment.device,
          `${environment.threads} threads`,
          environment.instructionSet,
        ];
  const tokens = tokensPerStep === null ? [] : [`${integer(tokensPerStep)} tokens per step`];
  return [
    ...models.map(modelText).filter((line) => line !== null),
    [...tokens, ...machine].join(' · '),
  ].filter((line) => line !== '');
}

/** Tokens of one training step, where all curves agree on it. */
export function trainingTokensPerStep(curves: readonly LossCurve[]): number | null {
  const found = curves.flatMap(({ points }) => {
    const last = points.at(-1);
    return last === undefined || last.step === 0 ? [] : [last.tokens / last.step];
  });
  const [first = null] = found;
  return found.every((tokens) => tokens === first) ? first : null;
}
