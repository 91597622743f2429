/** The dispose tools. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replaceable, Store, toDisposable, undisposed } from '../../extension/host/disposable.js';

test('a store disposes in reverse order, once, and at once what is added too late', () => {
  const order: number[] = [];
  const store = new Store();
  for (const id of [1, 2, 3]) store.add(toDisposable(() => order.push(id)));
  store.dispose();
  store.dispose();
  assert.deepEqual(order, [3, 2, 1]);
  store.add(toDisposable(() => order.push(4)));
  assert.deepEqual(order, [3, 2, 1, 4]);
});

test('a replaceable value disposes the one before, and is inert once disposed', () => {
  const gone: string[] = [];
  const make = (name: string) => toDisposable(() => gone.push(name));
  const slot = new Replaceable();
  slot.value = make('a');
  slot.value = make('b');
  assert.deepEqual(gone, ['a']);
  slot.value = undefined;
  assert.deepEqual(gone, ['a', 'b']);
  slot.dispose();
  slot.value = make('c');
  assert.deepEqual(gone, ['a', 'b', 'c']);
  assert.equal(slot.value, undefined);
});

test('what is not disposed is known, until it is', () => {
  const before = undisposed().length;
  const store = new Store();
  const slot = store.add(new Replaceable());
  slot.value = toDisposable(() => undefined);
  const forgotten = toDisposable(() => undefined);
  assert.equal(undisposed().length, before + 4);
  store.dispose();
  assert.equal(undisposed().length, before + 1);
  forgotten.dispose();
  forgotten.dispose();
  assert.equal(undisposed().length, before);
});
