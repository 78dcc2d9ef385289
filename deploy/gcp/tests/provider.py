"""The google provider's argument names.

Neither the provider nor its schema can be had without the registry. Pulumi's package for Google
Cloud is made from the same schema, so its classes have the arguments, their nesting, and which of
them must be given. It differs in one thing: of an argument that is a list it makes a plural.
"""
import ast
import re
import sysconfig
from functools import cache
from pathlib import Path

PLACE = Path(sysconfig.get_paths()["purelib"], "pulumi_gcp")

#: Types whose place in the package does not follow from their name.
PLACES = {
    "google_project_iam_member": "projects/iam_member",
    "google_project_service": "projects/service",
    "google_service_account": "serviceaccount/account",
}
#: Pulumi's plurals of the provider's names, where this module has them. What stands here must be
#: written as the provider has it; all others are the same in both.
PLURALS = {
    "allows": "allow", "backends": "backend", "commands": "command",
    "denies": "deny", "depends_ons": "depends_on", "envs": "env", "host_rules": "host_rule",
    "path_matchers": "path_matcher", "rules": "rule",
    "weekly_maintenance_windows": "weekly_maintenance_window",
}
#: Terraform's own.
META = {"count", "for_each", "depends_on", "lifecycle", "provider"}


@cache
def classes(path):
    tree = ast.parse(path.read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


@cache
def places():
    found = {}
    for path in PLACE.glob("*/*.py"):
        if not path.name.startswith(("_", "get_")):
            key = f"google_{path.parent.name}{path.stem}".replace("_", "")
            found[key] = path
    return found


def place(kind):
    if kind in PLACES:
        return PLACE / f"{PLACES[kind]}.py"
    return places().get(kind.replace("_", ""))


def arguments(node):
    """name -> (whether it must be given, the class of its block or None)."""
    init = next(one for one in node.body
                if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    found = {}
    for argument in init.args.kwonlyargs:
        words = ast.unparse(argument.annotation)
        block = re.search(r"'(\w+Args)'", words)
        name = PLURALS.get(argument.arg, argument.arg)
        found[name] = ("Optional" not in words, block and block.group(1))
    return found


def top(kind):
    """The class of a resource's arguments; None where there is no such resource."""
    path = place(kind)
    if path is None or not path.exists():
        return None
    name = next((one for one in classes(path) if one.endswith("Args")), None)
    return classes(path)[name]


def outputs(kind):
    """Every name that a resource can be asked for."""
    path = place(kind)
    state = next(node for name, node in classes(path).items() if name.endswith("State"))
    # Pulumi's plural of a list may be the provider's word or not; either is a name it has.
    return {form for name in [*arguments(state), "id"] for form in (name, name.removesuffix("s"))}


def faults(kind, block):
    """What of a resource is not as the provider has it, each as a sentence."""
    node = top(kind)
    if node is None:
        return [f"{kind}: no such resource"]
    inputs = place(kind).parent / "_inputs.py"
    return list(walk(node, block, classes(inputs) if inputs.exists() else {}, kind, META))


def walk(node, block, inner, path, meta):
    known = arguments(node)
    names = set(block.attributes) | {name for name, _ in block.blocks}
    for name in sorted(names - set(known) - meta):
        yield f"{path}: no argument {name}; there are {', '.join(sorted(known))}"
    for name, (is_required, _) in known.items():
        if is_required and name not in names:
            yield f"{path}: {name} is missing"
    for name, one in block.blocks:
        if name in meta or name not in known:
            continue
        kind = known[name][1]
        if kind is None:
            yield f"{path}.{name}: it is no block"
        else:
            yield from walk(inner[kind], one, inner, f"{path}.{name}", set())
    for name in block.attributes:
        # A map is an argument; a block that is written as one is a mistake Terraform refuses.
        if name in known and known[name][1] is not None:
            yield f"{path}.{name}: it is a block, and is written as an argument"
