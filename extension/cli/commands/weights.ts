import { torchName, widthOf } from '../../core/checkpoints/dtypes.js';
import { recognise } from '../../core/checkpoints/layouts.js';
import { openCheckpoint } from '../../core/checkpoints/open.js';
import { elementsOf, type StoredTensor } from '../../core/checkpoints/storedTensor.js';
import { reading, shownName } from '../../core/checkpoints/weightsError.js';
import type { Checkpoint } from '../../core/checkpoints/checkpoint.js';
import type { Layout } from '../../core/checkpoints/layouts.js';
import { UsageError } from '../../core/experiments/usageError.js';
import type { Command } from '../command.js';
import type { Terminal } from '../terminal.js';
import { table } from '../text/table.js';
import { bytesText } from '../text/units.js';

const SHOWN_VALUES = 20;
/** Of no interest to a person beside tensors; in JSON they stand. */
const OF_OPTIMIZERS = /^[^.]*(?:optimizer|scheduler|scaler)[^.]*\./;

/** What a checkpoint holds; only names and shapes are read, never the numbers. */
export const weights: Command = {
  name: 'weights',
  summary:
    'Lists what a checkpoint holds: tensors with types and shapes, its layout, and the rest of the file.',
  usage: 'FILE [options]',
  details: `FILE is .safetensors, its .index.json or a folder of shards, or a file of torch.save (.pt, .pth, .bin), old or new.
No code in it is run.`,
  options: [],
  async run(args, terminal) {
    const [file, ...more] = args.positionals;
    if (file === undefined || more.length > 0)
      throw new UsageError(
        `crossover weights takes one FILE, not ${args.positionals.length}; see crossover weights --help.`,
      );
    const checkpoint = openCheckpoint(file);
    try {
      const layout = reading(file, () => recognise(checkpoint));
      terminal.out(
        args.has('json')
          ? `${JSON.stringify(documentOf(checkpoint, layout))}\n`
          : text(terminal, checkpoint, layout),
      );
      return 0;
    } finally {
      checkpoint.close();
    }
  },
};

function documentOf(checkpoint: Checkpoint, layout: Layout | null): object {
  const { file, files, format, root, tensors, others, values, opaque } = checkpoint;
  const list = (found: ReadonlyMap<string, StoredTensor>): object[] =>
    [...found].map(([name, { dtype, shape, strides, offset, storage }]) => ({
      name,
      dtype: torchName(dtype),
      shape,
      strides,
      offset,
      storage: storage.id,
    }));
  return {
    file,
    files,
    format,
    layout: layout === null ? null : summaryOf(layout),
    root,
    tensors: list(tensors),
    others: list(others),
    values: Object.fromEntries(values),
    notBuilt: [...opaque.keys()],
  };
}

const summaryOf = ({ title, zoo, layers, width, vocab }: Layout): object => ({
  title,
  zoo,
  layers,
  width,
  vocab,
});

function text(terminal: Terminal, checkpoint: Checkpoint, layout: Layout | null): string {
  const { file, format, root, tensors, others, values, opaque } = checkpoint;
  const numbers = [...tensors.values()];
  const parameters = numbers.reduce((sum, { shape }) => sum + elementsOf(shape), 0);
  const storages = new Map(numbers.map(({ storage }) => [storage.id, storage.byteLength]));
  const bytes = [...storages.values()].reduce((sum, size) => sum + size, 0);
  const lines = [
    `${file}: ${format}, ${tensors.size} tensors, ${parameters.toLocaleString('en-US')} numbers, ${bytesText(bytes)}`,
    layout === null
      ? 'Layout: not one of the known ones'
      : `Layout: ${layout.title}, ${layout.layers}x${layout.width}, vocabulary ${layout.vocab}; fits ${layout.zoo.join(' or ')}`,
    ...(root === '' ? [] : [`State dict: under "${shownName(root)}"`]),
  ];
  const rows = [...tensors].map(([name, tensor]) => [
    shownName(name),
    torchName(tensor.dtype),
    `[${tensor.shape.join(', ')}]`,
    bytesText(elementsOf(tensor.shape) * widthOf(tensor.dtype)),
  ]);
  const said = [...values].filter(([name]) => !OF_OPTIMIZERS.test(name));
  const rest = said
    .slice(0, SHOWN_VALUES)
    .map(([name, value]) => `${shownName(name)} = ${shownName(String(value))}`);
  if (said.length > SHOWN_VALUES) rest.push(`and ${said.length - SHOWN_VALUES} more values`);
  if (others.size > 0)
    rest.push(`${others.size} other tensors, such as ${shownName([...others.keys()][0]!)}`);
  if (opaque.size > 0) rest.push(`Not built: ${[...opaque.keys()].slice(0, SHOWN_VALUES).join(', ')}`);
  return `${lines.join('\n')}\n\n${table(terminal, ['Tensor', 'Type', 'Shape', 'Size'], rows)}${rest.length > 0 ? `\n${rest.join('\n')}\n` : ''}`;
}
