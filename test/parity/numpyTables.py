"""Tables as model files build them, by NumPy and by the tracer's own package: prints what differs."""

import importlib.util
import sys

import numpy

TABLES = """
np.array([[pos / np.power(10000, 2 * (j // 2) / 8) for j in range(8)] for pos in range(5)])
sinusoids(np, 6, 8)
np.arange(7)[::2] + 0.5
np.arange(2.0, 9.0, 0.75)
np.arange(12).reshape(3, 4).T @ np.ones((3, 2))
np.arange(24).reshape(2, 3, 4)[:, 1:, ::-2]
np.arange(24).reshape(2, 3, 4)[..., -1]
np.arange(24).reshape(2, 3, 4)[1, [0, 2]]
np.arange(6)[:, None] * np.arange(3)[None, :] - 1.5
np.arange(6)[np.arange(6) % 2 == 0]
np.triu(np.ones((4, 4)), k=1).astype('uint8')
np.tril(np.arange(18).reshape(2, 3, 3), -1)
np.linspace(0, 1, 7)
np.linspace(-1, 1, 4, endpoint=False)
np.geomspace(1, 64, 7)
np.exp(-np.linspace(0, 3, 5)).astype(np.float32) * 3
np.cumsum(np.arange(6).reshape(2, 3), axis=1)
np.cumsum([1.5, 2, 3])
np.arange(24).reshape(2, 3, 4).sum(axis=1)
np.arange(24).reshape(2, 3, 4).mean(axis=-1, keepdims=True)
np.array([[1.0, 5.0], [3.0, 2.0]]).std(axis=0)
np.array([[1.0, 5.0], [3.0, 2.0]]).max(axis=1)
np.argmax([3, 9, 2])
np.concatenate([np.zeros((2, 2)), np.ones((2, 1))], axis=-1)
np.stack([np.arange(3), np.arange(3) * 2], axis=1)
np.hstack([np.arange(2), np.arange(3)])
np.vstack([np.arange(3), np.arange(3)])
np.tile(np.arange(4).reshape(2, 2), (2, 3))
np.repeat(np.arange(4).reshape(2, 2), 2, axis=1)
np.flip(np.arange(6).reshape(2, 3), axis=1)
np.outer(np.arange(3), np.arange(4))
np.meshgrid(np.arange(3), np.arange(2))[0]
np.meshgrid(np.arange(3), np.arange(2), indexing='ij')[1]
np.where(np.arange(5) > 2, np.arange(5), -1.0)
np.where(np.eye(3) > 0)[1]
np.clip(np.arange(-3, 4), -1, 2)
np.maximum(np.array([1.0, -2.0]), 0)
np.expand_dims(np.arange(3), -1)
np.broadcast_to(np.arange(3), (2, 3))
np.eye(3, k=1) + np.identity(3)
np.diag(np.arange(9).reshape(3, 3))
np.diag([1, 2])
np.full((2, 2), 7)
np.zeros_like(np.arange(3)) + 1 / 2
np.isnan(np.array([1.0, np.nan]))
np.floor(np.array([1.7, -1.2]))
np.sqrt(np.arange(5)) // 1
(np.arange(6).reshape(2, 3) ** 2).transpose(1, 0)
np.abs(np.array([-1, 2])) % 2
~(np.arange(3) > 1) & (np.arange(3) >= 0)
filled(np)
"""


def sinusoids(np, length, width):
    table = np.zeros((length, width))
    position = np.arange(0, length)[:, np.newaxis]
    rate = np.exp(np.arange(0, width, 2) * -(np.log(10000.0) / width))
    table[:, 0::2] = np.sin(position * rate)
    table[:, 1::2] = np.cos(position * rate)
    return table


def filled(np):
    table = np.zeros((3, 4), dtype=np.float32)
    table[1] = [1, 2, 3, 4]
    table[:, 2] += 0.1
    table[[0, 2], -1] = 9
    table[table == 0] = -1
    return table


def ours(folder):
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(
        "tables_numpy", f"{folder}/numpy/__init__.py", submodule_search_locations=[f"{folder}/numpy"]
    )
    module = sys.modules["tables_numpy"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(folder):
    mine, compared = ours(folder), 0
    for expression in filter(None, TABLES.split("\n")):
        names = {"sinusoids": sinusoids, "filled": filled}
        expected = numpy.asarray(eval(expression, {"np": numpy, **names}))
        found = mine.asarray(eval(expression, {"np": mine, **names}))
        kinds = [str(item.dtype) for item in (found, expected)]
        near = found.shape == expected.shape and numpy.allclose(found.tolist(), expected.tolist(), 1e-15, 0, equal_nan=True)
        if not near or kinds[0] != kinds[1]:
            print(f"{expression}: {found.shape} {kinds[0]} {found.tolist()} is {expected.shape} {kinds[1]} {expected.tolist()}")
        compared += 1
    print(f"{compared} tables compared")


main(sys.argv[1])
