"""Caches of keys and values: a trace reads whole sequences, so that they start empty."""

import torch


class Cache:
    """One pair of keys and values [B, heads, T, head size] per layer."""

    def __init__(self, *_args, **_kwargs):
        self.key_cache, self.value_cache = [], []

    def update(self, key_states, value_states, layer_idx, cache_kwargs=None):
        if layer_idx < len(self.key_cache):
            self.key_cache[layer_idx] = torch.cat([self.key_cache[layer_idx], key_states], dim=-2)
            self.value_cache[layer_idx] = torch.cat([self.value_cache[layer_idx], value_states], dim=-2)
        else:
            self.key_cache.append(key_states)
            self.value_cache.append(value_states)
        return self.key_cache[layer_idx], self.value_cache[layer_idx]

    def get_seq_length(self, layer_idx=0):
        return self.key_cache[layer_idx].shape[-2] if layer_idx < len(self.key_cache) else 0

    def get_usable_length(self, new_seq_length, layer_idx=0):
        return self.get_seq_length(layer_idx)

    def get_max_length(self):
        return None

    get_max_cache_shape = get_max_length

    def __len__(self):
        return len(self.key_cache)

    def __getitem__(self, layer_idx):
        return self.key_cache[layer_idx], self.value_cache[layer_idx]

    @classmethod
    def from_legacy_cache(cls, past_key_values=None):
        cache = cls()
        for layer, (keys, values) in enumerate(past_key_values or ()):
            cache.update(keys, values, layer)
        return cache

    def to_legacy_cache(self):
        return tuple(zip(self.key_cache, self.value_cache))


class DynamicCache(Cache):
    pass


class StaticCache(Cache):
    pass
