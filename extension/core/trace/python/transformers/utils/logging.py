"""Loggers with transformers' extra levels."""

import logging


class _Logger(logging.LoggerAdapter):
    def warning_once(self, *args, **kwargs):
        self.warning(*args, **kwargs)

    def warning_advice(self, *args, **kwargs):
        self.warning(*args, **kwargs)

    def info_once(self, *args, **kwargs):
        self.info(*args, **kwargs)


def get_logger(name=None):
    return _Logger(logging.getLogger(name), {})


def set_verbosity_info():
    return None


set_verbosity = set_verbosity_warning = set_verbosity_error = set_verbosity_debug = lambda *_args: None
