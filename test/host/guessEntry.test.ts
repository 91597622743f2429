/** The guess of the build expression, on the ways public files define models. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guessEntries, moduleClasses } from '../../extension/host/guessEntry.js';

const first = (source: string): string | undefined => guessEntries(source)[0]?.expression;

test('a model configured by a dataclass gets its context and vocabulary', () => {
  const source = `
import torch.nn as nn
from dataclasses import dataclass

class Block(nn.Module):
    def __init__(self, config): # a comment with (
        super().__init__()

@dataclass
class GPTConfig:
    block_size: int = 1024
    vocab_size: int = 50304 # "padded"
    n_layer: int = 12
    dropout: float = 0.1

class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.h = nn.ModuleList([Block(config) for _ in range(config.n_layer)])

    def forward(self, idx, targets=None):
        return idx
`;
  assert.equal(first(source), 'GPT(GPTConfig(block_size=T, vocab_size=V, dropout=0.0))');
  assert.deepEqual(
    guessEntries(source).map((entry) => entry.className),
    ['GPT', 'Block'],
  );
});

test('keyword arguments without defaults get sizes; those with defaults are left alone', () => {
  const source = `
class Inner(torch.nn.Module):
    def __init__(self, dim): pass
class Base(torch.nn.Module): pass
class Model(Base):
    """Says "class Fake(nn.Module):" in its text."""
    def __init__(self, vocab_size: int, d_model: int, n_layers=4,
                 max_seq_len: int = 2048, *, flavour, **rest):
        self.inner = Inner(d_model)
    def forward(self, tokens): return tokens
`;
  assert.equal(first(source), 'Model(vocab_size=V, d_model=384, max_seq_len=T, flavour=...)');
});

test('an annotated configuration wins over one with a fitting name', () => {
  const source = `
@dataclass
class TrainConfig:
    steps: int = 10
@dataclass(frozen=True)
class Args:
    vocab_size: int
    dim: int
    max_seq_len: int = 512
class Transformer(nn.Module):
    def __init__(self, params: "Args" | Args):
        pass
    def forward(self, tokens, targets): return tokens
`;
  assert.equal(first(source), 'Transformer(Args(vocab_size=V, dim=384, max_seq_len=T))');
});

test('a file without modules has no entries', () => {
  assert.deepEqual(guessEntries('x = 1\nclass A:\n    pass\n'), []);
});

test('classes and their forward are found at their lines', () => {
  const source = `import torch.nn as nn

class A(nn.Module):
    """forward(
    def forward(self): no, this is text
    """

    def __init__(self):
        super().__init__()

    def forward(
        self, x,
    ):
        # a comment
        y = x

        return y

    def other(self):
        pass


class Config:
    def forward(self): ...

class B(A):
    x = 1
`;
  assert.deepEqual(
    moduleClasses(source).map(({ name, line, lastLine, forward }) => ({ name, line, lastLine, forward })),
    [
      { name: 'A', line: 3, lastLine: 20, forward: { line: 11, lastLine: 17 } },
      { name: 'B', line: 26, lastLine: 27, forward: null },
    ],
  );
});
