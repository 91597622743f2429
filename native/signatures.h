// What every opcode asks of its operands, as a table.
//
// A signature lists operands, outputs before `|`: a kind (f f32, i i64, u u8, m f32 or u8, n f32 or i64, *
// any), `?` when it may be left out, `+` when it repeats, a layout (= contiguous, - last dimension
// contiguous, . any strides) and a shape: one letter per dimension, equal letters are equal sizes; `*` is any
// shape, `1` one element.
#pragma once

#include "program.h"

namespace crossover {

struct Signature {
  Opcode opcode;
  const char* operands;
  int ints, floats;  // -1: any number
};

inline const Signature kSignatures[] = {
    {Opcode::constant, "*=* |", 2, 0},
    {Opcode::fused, "*+.* |", -1, -1},
    {Opcode::matmul, "f-* | f.* f.* f?-N f?-*", 2, 1},
    {Opcode::softmax, "f-RN | f-RN", 0, 0},
    {Opcode::softmax_grad, "f-RN | f-RN f-RN", 0, 0},
    {Opcode::log_softmax, "f-RN | f-RN", 0, 0},
    {Opcode::log_softmax_grad, "f-RN | f-RN f-RN", 0, 0},
    {Opcode::layer_norm, "f-RGN f?=RG f?=RG | f-RGN f?=GN f?=GN", 1, 1},
    {Opcode::layer_norm_grad, "f-RGN f?=GN f?=GN | f-RGN f-RGN f?=RG f=RG f?=GN", 3, 0},
    {Opcode::cross_entropy, "f=* f=N | f-NC i.N", 2, 1},
    {Opcode::cross_entropy_grad, "f-NC | f-NC f=N i.N f=*", 2, 1},
    {Opcode::attention, "f-BHTE f?.BHT | f-BHTD f-BKSD f-BKSE m?.BHTS", 2, 1},
    {Opcode::attention_grad, "f-BHTD f-BKSD f-BKSE | f-BHTE f-BHTD f-BKSD f-BKSE f-BHTE f.BHT m?.BHTS", 2, 1},
    {Opcode::cached_attention, "f-BHTE | f-BHTD f-BKSD f-BKSE i=1 m?.BHTS", 0, 1},
    {Opcode::weighted_attention, "f-BHTE | f-BHTD f-BHSD f-BHSE f-BHTS", 2, 0},
    {Opcode::weighted_attention_grad, "f-BHTD f-BHSD f-BHSE f?-GITS | f-BHTE f-BHTD f-BHSD f-BHSE f-BHTS", 2,
     0},
    {Opcode::wkv6, "f-BTHN f?=BHNN f?=* | f-BTHN f-BTHN f-BTHN f-BTHN f=HN f?=BHNN", 0, 0},
    {Opcode::wkv6_grad,
     "f-BTHN f-BTHN f-BTHN f-BTHN f=HN f?=BHNN | f-BTHN f?=BHNN f=* f-BTHN f-BTHN f-BTHN f-BTHN f=HN f?=BHNN",
     0, 0},
    {Opcode::wkv7, "f-BTHP f?=BHPN f?=* | f-BTHN f-BTHN f-BTHN f-BTHP f-BTHN f-BTHN f?=BHPN", 0, 0},
    {Opcode::wkv7_grad,
     "f-BTHN f-BTHN f-BTHN f-BTHP f-BTHN f-BTHN f?=BHPN | f-BTHP f?=BHPN f=* f-BTHN f-BTHN f-BTHN f-BTHP "
     "f-BTHN f-BTHN f?=BHPN",
     0, 0},
    {Opcode::wkv4, "f-BTC f?=BSC f?=* | f=C f=C f-BTC f-BTC f?=BSC", 0, 0},
    {Opcode::wkv4_grad, "f=C f=C f-BTC f-BTC f?=BSC | f-BTC f?=BSC f=* f=C f=C f-BTC f-BTC", 0, 0},
    {Opcode::gla, "f-BTHP f?=BHNP f?=* | f-BTGN f-BTGN f-BTHP f-BTHW f?=BHNP", 0, 1},
    {Opcode::gla_grad,
     "f-BTGN f-BTGN f-BTHP f?-BTHW f?=BHNP | f-BTHP f?=BHNP f=* f-BTGN f-BTGN f-BTHP f-BTHW", 0, 1},
    {Opcode::selective_scan, "f-BTD f?=BDN f?=* | f-BTD f-BTD f=DN f-BTN f-BTN f?=BDN", 0, 0},
    {Opcode::selective_scan_grad,
     "f-BTD f-BTD f=DN f-BTN f-BTN f?=BDN | f-BTD f?=BDN f=* f-BTD f-BTD f=DN f-BTN f-BTN", 0, 0},
    {Opcode::short_conv, "f-BTC f?=BSC | f-BTC f=CK f?=C f?=BSC", 0, 0},
    {Opcode::short_conv_grad, "f-BTC f=CK f?=C f?=BSC | f-BTC f?=BSC f-BTC f=CK f?=BSC", 0, 0},
    {Opcode::lstm, "f-BTH f?=BH f?=BTG f?=BTH | f-BTG f=GH f?=BH f?=BH", 1, 0},
    {Opcode::lstm_grad, "f-BTG f?=BH f?=BH | f-BTH f?=BH f=GH f=BTG f=BTH f?=BH", 1, 0},
    {Opcode::fft, "f.PRK f.PRK | f.PRL f?.PRL", 2, 1},
    {Opcode::rfft, "f.PRK f.PRK | f.PRL", 1, 2},
    {Opcode::irfft, "f.PRL | f.PRK f.PRK", 1, 2},
    {Opcode::embedding, "f-ND | f-VD i.N", 0, 0},
    {Opcode::embedding_grad, "f-VD | f-ND i.N", 1, 0},
    {Opcode::gather, "*.* | *.* i.*", 1, 0},
    {Opcode::scatter, "*.* | i.* *.*", 2, 0},
    {Opcode::cumulate, "n.* | n.*", 3, 0},
    {Opcode::arg_extreme, "i.* | n.*", 2, 0},
    {Opcode::top_k, "n.* i.* | n.*", 3, 0},
    {Opcode::grad_norm, "f=1 | f+=*", 0, 0},
    {Opcode::adamw, "| f=* f?=1 f+=*", 0, 5},
    {Opcode::dropout, "f=* u=* | f=*", 0, 1},
    {Opcode::rng_seed, "|", 1, 0},
    {Opcode::rng_normal, "f=* |", 1, 2},
    {Opcode::rng_uniform, "f=* |", 0, 2},
    {Opcode::rng_trunc_normal, "f=* |", 0, 4},
    {Opcode::rng_orthogonal, "f=RC |", 0, 1},
    {Opcode::rng_randint, "i=* |", 2, 0},
    {Opcode::rng_randperm, "i=N |", 0, 0},
    {Opcode::rng_bernoulli, "f=* | f?=*", 0, 1},
    {Opcode::rng_skip, "|", 2, 0},
};

}  // namespace crossover
