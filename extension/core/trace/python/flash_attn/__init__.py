"""flash_attn: its functions as scaled dot-product attention. Tensors are [batch, time, heads, size]."""

from torch.nn.functional import attention as _attention


def flash_attn_func(q, k, v, dropout_p=0.0, softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0,
                    alibi_slopes=None, deterministic=False, return_attn_probs=False):  # fmt: skip
    from crossover_tracer.errors import Unsupported

    if softcap or alibi_slopes is not None or return_attn_probs:
        raise Unsupported("flash_attn_func with softcap, alibi_slopes or return_attn_probs is not traced; leave them out")
    window = 0
    if window_size[0] >= 0:
        if not causal or window_size[1] not in (-1, 0):
            raise Unsupported("flash_attn_func with a window that looks ahead is not traced; use causal=True")
        window = window_size[0] + 1
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return _attention(q, k, v, None, dropout_p, causal, softmax_scale, True, window).transpose(1, 2)


def flash_attn_qkvpacked_func(qkv, *args, **kwargs):
    return flash_attn_func(*qkv.unbind(2), *args, **kwargs)


def flash_attn_kvpacked_func(q, kv, *args, **kwargs):
    return flash_attn_func(q, *kv.unbind(2), *args, **kwargs)


def flash_attn_varlen_func(*_args, **_kwargs):
    from crossover_tracer.errors import Unsupported

    raise Unsupported("flash_attn_varlen_func is not traced; use flash_attn_func on padded batches")
