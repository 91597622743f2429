"""Profiler labels are ignored."""


class record_function:
    def __init__(self, name, args=None):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class profile(record_function):
    def __init__(self, *_args, **_kwargs):
        pass
