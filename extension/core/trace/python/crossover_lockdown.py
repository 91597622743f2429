"""Takes from the interpreter what could reach JavaScript or native code; run once, before any model is seen.

The worker has already removed the built-in modules named in `BUILTINS` from the interpreter's own table, so none of
this can be undone by importing them again; it is one of the sandbox's layers, never the only one.
"""

import gc
import sys

PACKAGES = ("js", "pyodide", "pyodide_js", "_pyodide", "_pyodide_core", "micropip", "ctypes", "_ctypes")


class _Refusal:
    """Answers an import of a module that is not here with a sentence instead of a search."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in PACKAGES:
            raise ModuleNotFoundError(f"{name} is not available to model code", name=name)
        return None


def lock():
    """Removes Pyodide's modules, import hooks and proxies; afterwards only the standard library is left."""
    importhook = sys.modules["_pyodide._importhook"]
    importhook.jsfinder.jsproxies.clear()
    sys.meta_path[:] = [_Refusal] + [
        finder for finder in sys.meta_path if getattr(finder, "__module__", "") != importhook.__name__
        and type(finder).__module__ != importhook.__name__
    ]
    for name in [name for name in sys.modules if name.split(".")[0] in PACKAGES]:
        contents = getattr(sys.modules.pop(name), "__dict__", None)
        if isinstance(contents, dict):
            contents.clear()
    # CPython keeps a copy of the contents of some built-in modules, to fill them again.
    for contents in gc.get_objects():
        if type(contents) is dict and contents.get("__name__") in ("_pyodide_core", "_ctypes"):
            contents.clear()
    import asyncio

    asyncio.set_event_loop(None)
    sys.excepthook = sys.__excepthook__
    sys.dont_write_bytecode = True
    gc.collect()
