"""Imports from virtual files: the model file, its siblings and packages, and stand-ins for what is not here."""

import __future__
import ast
import builtins
import importlib.abc
import importlib.machinery
import io
import linecache
import os
import re
import sys
import types

from . import positions
from . import recorder as R
from .errors import StopTrace, TraceFault
from .shells import Shell

# Packages that model files import for GPUs, data, logging, checkpoints and the command line.
SHELLS = {
    "GPUtil", "IPython", "PIL", "absl", "accelerate", "aim", "aiohttp", "altair", "anthropic", "apex", "awq", "beartype", "bitsandbytes",
    "blobfile", "boto3", "botocore", "bs4", "cached_path", "chex", "click", "clearml", "colorama", "comet_ml", "composer", "cuda", "cupy", "cutlass", "cv2",
    "dacite", "datasets", "diffusers", "dotenv", "draccus", "evaluate", "fairseq", "fastapi", "fire", "flashinfer", "flask", "flax",
    "fsspec", "ftfy", "galore_torch", "gin", "google", "gradio", "h5py", "habana_frameworks", "httpx", "huggingface_hub",
    "intel_extension_for_pytorch", "ipdb", "jax", "jaxtyping", "jieba", "joblib", "jsonargparse", "jsonlines", "kernels",
    "librosa", "liger_kernel", "lightning_utilities", "lion_pytorch", "lm_eval", "lmdb", "loguru", "matplotlib", "megatron",
    "ml_collections", "mlflow", "msgpack", "neptune", "networkx", "ninja", "nltk", "numba", "nvidia", "omegaconf", "onnx",
    "onnxruntime", "openai", "optax", "optimum", "orbax", "orjson", "pandas", "peft", "pkg_resources", "plotly", "polars", "psutil",
    "pyarrow", "pydantic", "pynvml", "pyrallis", "pytest", "ray", "requests", "rich", "sacrebleu", "safetensors",
    "schedulefree", "seaborn", "sentence_transformers", "sentencepiece", "sglang", "simple_parsing", "sklearn",
    "soundfile", "spacy", "streamlit", "sympy", "tabulate", "tensorboard", "tensorboardX", "tensorflow", "tensorrt",
    "termcolor", "tiktoken", "tilelang", "timm", "tokenizers", "torch_npu", "torch_xla", "torchao", "torchaudio",
    "torchdata", "torchinfo", "torchmetrics", "torchsummary", "torchtext", "torchtitan",
    "transformer_engine", "triton", "trl", "typeguard", "typer", "tyro", "unsloth", "vllm", "wandb", "yaml", "zstandard",
}  # fmt: skip

# Where our own packages stand.
_PACKAGES = __file__.rsplit("/", 2)[0]
_IMPORTS_KERNELS = re.compile(
    r"^\s*(?:import|from)\s+(?:triton|selective_scan_cuda|causal_conv1d_cuda)\b", re.MULTILINE
)


class _Ours(importlib.abc.Loader):
    """A module of ours in the place of a clone's: what it lacks of the clone's names fails when it is used."""

    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        module.__getattr__ = lambda name: _missing(module.__name__, name)


def _missing(module, name):
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(name)
    return Shell(f"{module}.{name}")


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules among the request's sources. The folder of the model file and those above it that are no packages are roots."""

    def __init__(self, sources, file):
        self.sources = {path.strip("/"): (path, text) for path, text in sources.items()}
        self.folders = {""}
        for path in self.sources:
            parts = path.split("/")[:-1]
            for count in range(len(parts)):
                self.folders.add("/".join(parts[: count + 1]))
        parts = file.strip("/").split("/")[:-1]
        above = ["/".join(parts[:count]) for count in range(len(parts), -1, -1)]
        self.roots = [root for root in above if root == above[0] or f"{root}/__init__.py".lstrip("/") not in self.sources]
        self.made = set()
        self.trees = {}

    def find_spec(self, fullname, path=None, target=None):
        relative = fullname.replace(".", "/")
        for root in self.roots:
            base = f"{root}/{relative}" if root else relative
            for candidate, package in ((f"{base}/__init__.py", True), (f"{base}.py", False)):
                if candidate in self.sources:
                    return self._ours(fullname, candidate) or self._spec(fullname, candidate, package)
        for root in self.roots:
            base = f"{root}/{relative}" if root else relative
            if base in self.folders:
                spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
                spec.submodule_search_locations = [f"/{base}"]
                self.made.add(fullname)
                return spec
        return None

    def _ours(self, fullname, candidate):
        """In a clone of a package that we have too, a module of GPU kernels is ours: theirs would run on GPUs only."""
        if fullname.partition(".")[0] not in PARTIAL or not _IMPORTS_KERNELS.search(self.sources[candidate][1]):
            return None
        folder = "/".join([_PACKAGES, *fullname.split(".")[:-1]])
        spec = importlib.machinery.PathFinder.find_spec(fullname, [folder])
        if spec is None or spec.origin is None:
            return None
        spec.loader = _Ours(spec.loader)
        self.made.add(fullname)
        return spec

    def is_optional(self):
        """Whether the innermost user frame only asks for the module: under `try`, or by importlib."""
        file, line = positions.caller_line()
        if file is None:
            return False
        tree = self.trees.get(file)
        if tree is None:
            tree = self.trees[file] = ast.parse(positions.user_files[file], file)
        guarded = _import_at(tree, line)
        return guarded is None or guarded

    def _spec(self, fullname, candidate, package):
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=self.sources[candidate][0], is_package=package)
        spec.loader_state = candidate
        if package:
            spec.submodule_search_locations = [candidate.rsplit("/", 1)[0]]
        self.made.add(fullname)
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        spec = module.__spec__
        path, text = self.sources[spec.loader_state]
        module.__file__ = path
        execute(text, path, module.__dict__)

    def get_source(self, fullname):
        module = sys.modules.get(fullname)
        spec = getattr(module, "__spec__", None)
        return self.sources[spec.loader_state][1] if spec is not None and spec.loader_state in self.sources else None


# Packages of ours that have only some of the real one's submodules.
PARTIAL = {
    "causal_conv1d", "deepspeed", "einops", "fairscale", "fla", "flash_attn", "hydra", "lightning", "mamba_ssm",
    "pytorch_lightning", "scipy", "torch", "torchvision", "transformers", "xformers",
}  # fmt: skip

# What is only there where a file has no other way, which would be the better known one.
REQUIRED = {"xformers"}


class ShellFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the packages of SHELLS, and what PARTIAL ones lack, importable when nothing else does. Stands last.

    A file that is ready to do without a package, as `try: import apex` says, does without it.
    """

    def __init__(self, is_optional):
        self.is_optional = is_optional

    def find_spec(self, fullname, path=None, target=None):
        package = fullname.partition(".")[0]
        known = package in SHELLS or fullname in REQUIRED or package in PARTIAL and package != fullname
        if not known or self.is_optional():
            return None
        if fullname in REQUIRED:
            return importlib.machinery.PathFinder.find_spec(fullname, [f"{_PACKAGES}/crossover_required"])
        spec = importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        spec.submodule_search_locations = []
        return spec

    def create_module(self, spec):
        module = _ShellModule(spec.name)
        module.__version__ = "0.0.0"
        return module

    def exec_module(self, module):
        return None


_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


def _import_at(node, line, guarded=False):
    """Whether the import statement at a line stands where a failure of it is provided for; None without one."""
    for name, part in ast.iter_fields(node):
        inside = guarded or name == "body" and _provides(node)
        for child in part if isinstance(part, list) else [part]:
            if not isinstance(child, ast.AST) or not child.__dict__.get("lineno", line) <= line <= _last_line(child, line):
                continue
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                return inside
            found = _import_at(child, line, inside)
            if found is not None:
                return found
    return None


def _last_line(node, otherwise):
    return getattr(node, "end_lineno", None) or otherwise


def _provides(node):
    """Whether a `try` has an answer to a missing import other than giving up, or a `with` suppresses it."""
    if isinstance(node, ast.With):
        return any(_names(item.context_expr) & _IMPORT_ERRORS for item in node.items)
    if not isinstance(node, ast.Try):
        return False
    catching = [one for one in node.handlers if one.type is None or _names(one.type) & _IMPORT_ERRORS]
    return any(not any(isinstance(part, ast.Raise) for part in one.body) for one in catching)


def _names(expression):
    return {part.id for part in ast.walk(expression) if isinstance(part, ast.Name)}


class _ShellModule(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Shell(f"{self.__name__}.{name}")

    def __call__(self, *args, **kwargs):
        return Shell(self.__name__)(*args, **kwargs)


def execute(text, path, namespace):
    """Runs a file's source as a module body."""
    recorder = R.current
    code = compile(text, path, "exec", dont_inherit=True)
    recorder.importing += 1
    try:
        exec(code, namespace)
    finally:
        recorder.importing -= 1


def _opening(sources, otherwise):
    """`open` that also reads the request's sources: training scripts begin by reading their own text for the log."""

    def open(file, mode="r", *args, **kwargs):
        text = sources.get(os.fspath(file)) if isinstance(file, (str, os.PathLike)) and mode in ("r", "rt") else None
        return otherwise(file, mode, *args, **kwargs) if text is None else io.StringIO(text)

    return open


class Workspace:
    """Installs the finders for one trace, and takes every module it imported away afterwards."""

    def __init__(self, sources, file):
        self.sources, self.file = sources, file
        self.finder = Finder(sources, file)
        self.shells = ShellFinder(self.finder.is_optional)

    def __enter__(self):
        positions.reset(self.sources)
        self.modules = set(sys.modules)
        sys.meta_path.insert(0, self.finder)
        sys.meta_path.append(self.shells)
        for path, text in self.sources.items():
            linecache.cache[path] = (len(text), None, text.splitlines(True), path)
        self.opened = builtins.open
        builtins.open = io.open = _opening(self.sources, self.opened)
        return self

    def __exit__(self, *_):
        builtins.open = io.open = self.opened
        for finder in (self.finder, self.shells):
            if finder in sys.meta_path:
                sys.meta_path.remove(finder)
        for name in set(sys.modules) - self.modules:
            module = sys.modules.get(name)
            ours = isinstance(module, _ShellModule) or name.partition(".")[0] in REQUIRED
            if name in self.finder.made or ours or name == self.module_name():
                sys.modules.pop(name, None)
        for path in self.sources:
            linecache.cache.pop(path, None)
        return False

    def module_name(self):
        """Dotted name of the model file: with its packages where the folders above have `__init__.py`."""
        parts = self.file.strip("/").split("/")
        stem = parts[-1].removesuffix(".py")
        names, folder = [stem], parts[:-1]
        while folder and "/".join([*folder, "__init__.py"]) in self.finder.sources:
            names.insert(0, folder[-1])
            folder = folder[:-1]
        if len(names) == 1 and parts[:-1] and _imports_relatively(self.sources[self.file]):
            names.insert(0, parts[-2])
        return ".".join(names)

    def run_model_file(self, notes):
        """Executes the model file and returns its namespace, and the error that ended its script part, if one did.

        Statements run one by one. When one of a training script fails (it wants a GPU or a data file, or reaches
        `.backward()`), what follows runs only where it defines something: imports, classes, functions and constants.
        In a file that does not train, a failure is the file's failure.
        """
        name = self.module_name()
        if name in self.modules:
            name = f"{name}__model"
        package = name.rpartition(".")[0]
        if package:
            __import__(package)
        module = types.ModuleType(name)
        module.__file__, module.__package__ = self.file, package
        module.__loader__ = self.finder
        module.__spec__ = importlib.machinery.ModuleSpec(name, self.finder, origin=self.file)
        module.__spec__.loader_state = self.file.strip("/")
        sys.modules[name] = module
        self.finder.made.add(name)
        return module.__dict__, _run_statements(self.sources[self.file], self.file, module.__dict__, notes)


def _run_statements(text, path, namespace, notes):
    recorder = R.current
    tree = ast.parse(text, path)
    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            flags |= _future_flags(node)
    failure = None
    recorder.importing += 1
    try:
        for node in tree.body:
            if failure is not None and not _defines(node):
                continue
            code = compile(ast.Module([node], []), path, "exec", flags, True)
            try:
                exec(code, namespace)
            except (Exception, SystemExit, StopTrace) as error:
                if isinstance(node, (ast.Import, ast.ImportFrom)) or isinstance(error, TraceFault) and error.code == "size":
                    raise
                if not _trains(tree):
                    raise
                if failure is None:
                    failure = error
                    what = "it calls backward()" if isinstance(error, StopTrace) else f"{type(error).__name__}: {error}"
                    notes.append(f"{positions.basename(path)}:{node.lineno} ends the script part of the file: {what}")
    finally:
        recorder.importing -= 1
    return failure


def _trains(tree):
    """Whether a file is a training script: somewhere it calls `.backward()`."""
    return any(
        isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "backward"
        for part in ast.walk(tree)
    )


def _future_flags(node):
    return sum(getattr(__future__, alias.name).compiler_flag for alias in node.names if hasattr(__future__, alias.name))


def _defines(node):
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        return all(not isinstance(part, (ast.Call, ast.Await)) for part in ast.walk(node.value))
    if isinstance(node, (ast.If, ast.Try, ast.With)):
        return any(isinstance(part, (ast.FunctionDef, ast.ClassDef)) for part in ast.walk(node))
    return isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))


def _imports_relatively(text):
    return any(line.lstrip().startswith("from .") for line in text.splitlines())
