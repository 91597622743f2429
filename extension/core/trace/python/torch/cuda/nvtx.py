"""Markers for a profiler that is not there."""


def range_push(name):
    return 0


def range_pop():
    return 0
