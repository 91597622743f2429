"""Mapping over nested containers."""


def tree_map(function, tree):
    if isinstance(tree, dict):
        return {key: tree_map(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [tree_map(function, value) for value in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return function(tree)


class LeafSpec:
    def __init__(self, context=None, children=()):
        self.context, self.children = context, children

    def rebuild(self, leaves):
        return next(leaves)


class TreeSpec(LeafSpec):
    """How leaves are put together again: a function of the children's values."""

    def rebuild(self, leaves):
        return self.context([child.rebuild(leaves) for child in self.children])


def tree_flatten(tree):
    """The leaves of nested tuples, lists and dicts, and what `tree_unflatten` needs."""
    if isinstance(tree, dict):
        kind, keys, items = type(tree), list(tree), list(tree.values())
        make = lambda values: kind(zip(keys, values))  # noqa: E731
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        make, items = (lambda values: type(tree)(*values)), list(tree)
    elif isinstance(tree, (tuple, list)):
        make, items = type(tree), list(tree)
    else:
        return [tree], LeafSpec()
    leaves, specs = [], []
    for item in items:
        found, spec = tree_flatten(item)
        leaves.extend(found)
        specs.append(spec)
    return leaves, TreeSpec(make, specs)


def tree_unflatten(leaves, treespec):
    return treespec.rebuild(iter(leaves))


def tree_leaves(tree):
    return tree_flatten(tree)[0]
