"""Recurrent layers and their cells: LSTM as one operation per layer and direction, the others unrolled over the sequence."""

import math

from ... import _create, _join, _scans
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module


def _tanh_step(gates_x, gates_h, state):
    return ((gates_x + gates_h).tanh(),)


def _relu_step(gates_x, gates_h, state):
    return (F.relu(gates_x + gates_h),)


def _lstm_step(gates_x, gates_h, state):
    enter, forget, content, leave = (gates_x + gates_h).chunk(4, -1)
    cell = forget.sigmoid() * state[1] + enter.sigmoid() * content.tanh()
    return leave.sigmoid() * cell.tanh(), cell


def _gru_step(gates_x, gates_h, state):
    reset_x, update_x, new_x = gates_x.chunk(3, -1)
    reset_h, update_h, new_h = gates_h.chunk(3, -1)
    reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
    new = (new_x + reset * new_h).tanh()
    return ((state[0] - new) * update + new,)


class RNNBase(Module):
    """Weights weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, then `_reverse`, then the next layer, as PyTorch's."""

    gates, step = 1, staticmethod(_tanh_step)

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, proj_size=0, device=None, dtype=None):  # fmt: skip
        super().__init__()
        if proj_size and self.gates != 4:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if not 0 <= proj_size < hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size" if proj_size > 0
                             else "proj_size should be a positive integer or zero to disable projections")  # fmt: skip
        self.input_size, self.hidden_size, self.num_layers, self.bias = input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional, self.proj_size = batch_first, float(dropout), bidirectional, proj_size
        width, rows = input_size, self.gates * hidden_size
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                for name, shape in (("weight_ih", (rows, width)), ("weight_hh", (rows, self.output_size)),
                                    ("bias_ih", (rows,)), ("bias_hh", (rows,)),
                                    ("weight_hr", (proj_size, hidden_size))):  # fmt: skip
                    if name in self._names():
                        setattr(self, name + suffix, Parameter(_create.empty(shape, device=device, dtype=dtype)))
            width = self.output_size * (2 if bidirectional else 1)
        self.reset_parameters()

    @property
    def output_size(self):
        return self.proj_size or self.hidden_size

    def _names(self):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if self.bias else ("weight_ih", "weight_hh")
        return (*names, "weight_hr") if self.proj_size else names

    def _suffixes(self, layer):
        return (f"_l{layer}", f"_l{layer}_reverse") if self.bidirectional else (f"_l{layer}",)

    def reset_parameters(self):
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self):
        return None

    @property
    def all_weights(self):
        return [[getattr(self, name + suffix) for name in self._names()]
                for layer in range(self.num_layers) for suffix in self._suffixes(layer)]  # fmt: skip

    def forward(self, input, hx=None):
        """input [T, B, C], or [B, T, C] with batch_first, or [T, C]; the state [layers * directions, B, H]."""
        if not hasattr(input, "dim"):
            from crossover_tracer.errors import Unsupported

            raise Unsupported(f"nn.{type(self).__name__} over packed sequences is not traced; give it the padded tensor")
        batched = input.dim() == 3
        if not batched:
            x, hx = input.unsqueeze(1), None if hx is None else _each(hx, lambda state: state.unsqueeze(1))
        else:
            x = input.transpose(0, 1) if self.batch_first else input
        directions = 2 if self.bidirectional else 1
        parts = 2 if self.step is _lstm_step else 1
        if hx is not None and parts == 1:
            hx = (hx,)
        last = [[] for _ in range(parts)]
        for layer in range(self.num_layers):
            if layer > 0 and self.dropout:
                x = F.dropout(x, self.dropout, self.training)
            sides = []
            for side, suffix in enumerate(self._suffixes(layer)):
                state = None if hx is None else tuple(part[layer * directions + side] for part in hx)
                output, state = self._run(x, state, suffix, side == 1)
                sides.append(output)
                for kept, part in zip(last, state):
                    kept.append(part)
            x = sides[0] if directions == 1 else _join.cat(sides, -1)
        state = tuple(_join.stack(part) for part in last)
        if not batched:
            x, state = x.squeeze(1), tuple(part.squeeze(1) for part in state)
        elif self.batch_first:
            x = x.transpose(0, 1)
        return x, state if parts == 2 else state[0]

    def _run(self, x, state, suffix, backwards):
        """One layer in one direction: x [T, B, C] and a state of [B, H] each, or None for zeros, to y [T, B, H] and a state."""
        if state is None:
            state = (_create.zeros(x.shape[1], self.hidden_size, dtype=x.dtype, device=x.device),)
        weight, bias = getattr(self, "weight_hh" + suffix), getattr(self, "bias_hh" + suffix) if self.bias else None
        gates = F.linear(x, getattr(self, "weight_ih" + suffix), getattr(self, "bias_ih" + suffix) if self.bias else None)
        outputs = [None] * x.shape[0]
        for time in reversed(range(x.shape[0])) if backwards else range(x.shape[0]):
            state = self.step(gates[time], F.linear(state[0], weight, bias), state)
            outputs[time] = state[0]
        return _join.stack(outputs), state


def _each(states, function):
    return tuple(map(function, states)) if isinstance(states, (tuple, list)) else function(states)


class RNN(RNNBase):
    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", *args, **kwargs):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity, self.step = nonlinearity, _tanh_step if nonlinearity == "tanh" else _relu_step


class LSTM(RNNBase):
    gates, step = 4, staticmethod(_lstm_step)

    def _run(self, x, state, suffix, backwards):
        if self.proj_size:
            return self._run_projected(x, state, suffix, backwards)
        weight_x, weight_h = getattr(self, "weight_ih" + suffix), getattr(self, "weight_hh" + suffix)
        bias = getattr(self, "bias_ih" + suffix) + getattr(self, "bias_hh" + suffix) if self.bias else None
        gates = F.linear(x.transpose(0, 1), weight_x, bias)
        y, cell = _scans.lstm(gates.flip(1) if backwards else gates, weight_h, *(state or ()))
        return (y.flip(1) if backwards else y).transpose(0, 1), (y[:, -1], cell)


    def _run_projected(self, x, state, suffix, backwards):
        """Step by step, as what goes back into the gates is narrower than the cell: h = weight_hr (o tanh(c)), [B, P]."""
        weight_x, weight_h, *biases, narrow = (getattr(self, name + suffix) for name in self._names())
        gates = F.linear(x, weight_x, biases[0] + biases[1] if biases else None)
        if state is None:
            hidden, cell = (_create.zeros(x.shape[1], size, dtype=x.dtype) for size in (self.proj_size, self.hidden_size))
        else:
            hidden, cell = state
        outputs = [None] * x.shape[0]
        for time in reversed(range(x.shape[0])) if backwards else range(x.shape[0]):
            wide, cell = _lstm_step(gates[time], F.linear(hidden, weight_h), (None, cell))
            hidden = outputs[time] = F.linear(wide, narrow)
        return _join.stack(outputs), (hidden, cell)


class GRU(RNNBase):
    gates, step = 3, staticmethod(_gru_step)


class _Cell(Module):
    gates, step = 1, staticmethod(_tanh_step)

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(_create.empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(_create.empty((rows, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(_create.empty(rows, device=device, dtype=dtype)) if bias else None)
        bound = 1.0 / math.sqrt(hidden_size) if hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def forward(self, input, hx=None):
        parts = 2 if self.step is _lstm_step else 1
        if hx is None:
            zero = _create.zeros(*input.shape[:-1], self.hidden_size, dtype=input.dtype, device=input.device)
            hx = (zero,) * parts
        state = tuple(hx) if parts == 2 else hx if isinstance(hx, tuple) else (hx,)
        gates_x = F.linear(input, self.weight_ih, self.bias_ih)
        state = self.step(gates_x, F.linear(state[0], self.weight_hh, self.bias_hh), state)
        return state if parts == 2 else state[0]


class RNNCell(_Cell):
    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity, self.step = nonlinearity, _tanh_step if nonlinearity == "tanh" else _relu_step


class LSTMCell(_Cell):
    gates, step = 4, staticmethod(_lstm_step)


class GRUCell(_Cell):
    gates, step = 3, staticmethod(_gru_step)


RNNCellBase = _Cell

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNBase", "RNNCell", "RNNCellBase"]
