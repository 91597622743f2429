/** What a crossing means, as a sentence a person would say. */
import type { Crossover } from '../../shared/report.js';
import { about, aboutRange, exact, flops, plusMinus, range } from '../../shared/units.js';
import type { Crossing, Doubt } from './crossover.js';

const UNITS = {
  context: 'tokens',
  decode: 'tokens',
  tokens: 'training tokens',
  seconds: 'seconds of training',
  flops: 'of training',
} as const;
const WORSE = {
  context: 'slower',
  decode: 'slower to decode',
  tokens: 'at a higher loss',
  seconds: 'at a higher loss',
  flops: 'at a higher loss',
} as const;
const BETTER = {
  context: 'faster',
  decode: 'faster to decode',
  tokens: 'at a lower loss',
  seconds: 'at a lower loss',
  flops: 'at a lower loss',
} as const;

/** How places of an axis are written. */
const IN_NUMBERS = { rounded: about, full: exact, within: aboutRange };
const IN_FLOPS = {
  rounded: flops,
  full: flops,
  within: (interval: readonly [number, number]): string => range(interval, flops),
};

/**
 * Words for one pair of curves. `xs` are the measured places, `pair` the labels of curve a and curve b; `among` says that there
 * are others, so that a sentence must say than which.
 */
export function describeCrossing(
  found: Crossing,
  pair: readonly [string, string],
  axis: Crossover['axis'],
  xs: readonly number[],
  among = false,
): Crossover {
  const than = (other: string): string => `${BETTER[axis]}${among ? ` than ${other}` : ''}`;
  const unit = UNITS[axis];
  const { rounded, full, within } = axis === 'flops' ? IN_FLOPS : IN_NUMBERS;
  const list = (values: readonly number[]): string => listed(values.map(full));
  const last = full(Math.max(...xs));
  const name = (who: 'a' | 'b'): string => (who === 'a' ? pair[0] : pair[1]);
  const none = { axis, at: null, interval: null } as const;
  switch (found.kind) {
    case 'crossing': {
      const before = name(found.before);
      const after = name(found.before === 'a' ? 'b' : 'a');
      const between = within(found.interval);
      const sentence = `${after} is ${than(before)} from about ${rounded(found.at)} ${unit}${between === '' ? '' : ` (${between})`}.`;
      return { before, after, axis, at: found.at, interval: found.interval, sentence };
    }
    case 'always': {
      const better = name(found.better);
      const other = name(found.better === 'a' ? 'b' : 'a');
      const { undecided, doubt } = found;
      const no = undecided.length === 0 ? '' : `, with no difference at ${list(undecided)}`;
      if (doubt !== null) {
        const open = [...undecided, ...doubt.places];
        const places = list(xs.filter((x) => !open.includes(x)));
        const sentence = `${better} is ${than(other)} at ${places} ${unit}${no}; can't tell at ${list(doubt.places)}: ${because(doubt)}.`;
        return { ...none, before: better, after: other, sentence };
      }
      const where =
        xs.length === 1
          ? `${better} is ${than(other)} at ${last} ${unit}, the only place measured.`
          : undecided.length === 0
            ? `No crossover up to ${last} ${unit}: ${better} is ${than(other)} at every measured ${axis === 'context' || axis === 'decode' ? 'context' : 'point'}.`
            : `No crossover up to ${last} ${unit}: ${better} is never ${WORSE[axis]}${among ? ` than ${other}` : ''}${no}.`;
      return { ...none, before: better, after: other, sentence: where };
    }
    case 'equal':
      return {
        ...none,
        before: pair[0],
        after: pair[1],
        sentence: `No difference between ${pair[0]} and ${pair[1]} up to ${last} ${unit}.`,
      };
    case 'noisy': {
      const equal = xs.filter((x) => !found.doubt.places.includes(x));
      const where = equal.length === 0 ? `up to ${last} ${unit}` : `at ${list(found.doubt.places)} ${unit}`;
      const rest = equal.length === 0 ? '' : `; no difference at ${list(equal)}`;
      return {
        ...none,
        before: pair[0],
        after: pair[1],
        sentence: `Can't tell whether ${pair[0]} or ${pair[1]} is ${BETTER[axis]} ${where}: ${because(found.doubt)}${rest}.`,
      };
    }
    case 'unclear':
      return {
        ...none,
        before: pair[0],
        after: pair[1],
        sentence: `Can't tell whether ${pair[0]} or ${pair[1]} is ${BETTER[axis]}: the curves cross more than once up to ${last} ${unit}.`,
      };
  }
}

/** Why it cannot be told. */
function because({ reach, control }: Pick<Doubt, 'reach' | 'control'>): string {
  const source = control ? 'A/A control' : 'ratio of times';
  return `the machine was busy (${source} ${plusMinus(reach - 1)})`;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
