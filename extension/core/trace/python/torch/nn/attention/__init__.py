"""Choosing an attention kernel changes nothing here: there is one."""

import enum


class SDPBackend(enum.Enum):
    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3


class sdpa_kernel:
    def __init__(self, backends=None, set_priority=False):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None
