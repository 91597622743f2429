/** Files that real PyTorch wrote: every type, both formats, every pickle protocol, views, whole modules, numpy, old tar. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../../extension/core/checkpoints/open.js';
import { compareFile, expectedOf } from './torchFiles.js';

const folder = path.join('test', 'fixtures', 'checkpoints');
const open = (name: string) => openCheckpoint(path.join(folder, name));

for (const [name, tensors] of Object.entries(expectedOf(folder)))
  test(`${name} has the values PyTorch gave it`, () => compareFile(path.join(folder, name), tensors));

for (const ending of ['zip.pt', 'legacy.pt']) {
  test(`tensors that share memory still do (${ending})`, () => {
    const checkpoint = open(`shared.${ending}`);
    const ids = new Set([...checkpoint.tensors.values()].map(({ storage }) => storage.id));
    assert.equal(ids.size, 1);
    checkpoint.close();
  });

  test(`a training script's checkpoint: the model apart from the optimizer, and what it says (${ending})`, () => {
    const checkpoint = open(`training.${ending}`);
    assert.equal(checkpoint.root, 'model');
    assert.deepEqual([...checkpoint.tensors.keys()], ['_orig_mod.weight', '_orig_mod.bias']);
    assert.ok(checkpoint.others.has('optimizer.state.0.exp_avg'));
    const said = (name: string): unknown => checkpoint.values.get(name);
    assert.deepEqual(
      [
        'iter_num',
        'best_val_loss',
        'model_args.n_head',
        'model_args.bias',
        'args.learning_rate',
        'history.1',
      ].map(said),
      [2000, 1.25, 2, true, 1e-3, 7],
    );
    assert.deepEqual([...checkpoint.opaque.keys()], ['argparse.Namespace']);
    checkpoint.close();
  });
}
