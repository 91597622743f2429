"""torch.mps without such a device."""


def is_available():
    return False


def device_count():
    return 0


def empty_cache():
    return None


def manual_seed(seed):
    return None


synchronize = empty_cache
