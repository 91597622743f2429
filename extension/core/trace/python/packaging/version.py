"""Versions as numbers that compare; what follows the numbers of a release is left out."""

import functools
import re


class InvalidVersion(ValueError):
    pass


@functools.total_ordering
class Version:
    def __init__(self, version):
        found = re.match(r"\s*v?(\d+(?:\.\d+)*)", str(version))
        if found is None:
            raise InvalidVersion(f"Invalid version: {version!r}")
        self.text = str(version)
        self.release = tuple(int(part) for part in found[1].split("."))
        self.major, self.minor, self.micro = (*self.release, 0, 0)[:3]

    def _key(self):
        numbers = list(self.release)
        while numbers and numbers[-1] == 0:
            numbers.pop()
        return tuple(numbers)

    def __eq__(self, other):
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other):
        return self._key() < other._key() if isinstance(other, Version) else NotImplemented

    def __hash__(self):
        return hash(self._key())

    def __str__(self):
        return self.text

    @property
    def base_version(self):
        return ".".join(map(str, self.release))


def parse(version):
    return Version(version)
