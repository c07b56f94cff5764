"""Imports point one way, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = {"biolink.documents", "biolink.errors"}
ALLOWED = {
    "kb": {"biolink.kb"},
    "pretrain": {"biolink.kb", "biolink.pretrain"},
    "infer": {"biolink.kb", "biolink.infer"},
    "finetune": {"biolink.kb", "biolink.pretrain", "biolink.infer", "biolink.finetune"},
}


def imported(file: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {module for module in modules if module.split(".")[0] == "biolink"}


@pytest.mark.parametrize("folder", ALLOWED)
def test_dependencies_point_downwards(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for file in files:
        for module in imported(file):
            package = ".".join(module.split(".")[:2])
            assert module in SHARED or package in ALLOWED[folder], f"{file} imports {module}"


def test_the_training_kit_knows_no_training() -> None:
    files = list((ROOT / "pretrain" / "training").glob("*.py"))
    assert files
    for file in files:
        for module in imported(file):
            kit = module.startswith(("biolink.kb", "biolink.pretrain.training"))
            assert module in SHARED or kit, f"{file} imports {module}"


@pytest.mark.parametrize(
    "code",
    [
        "import biolink",
        "import biolink; biolink.Document, biolink.read, biolink.BiolinkError",
        "import biolink.cli.app",
    ],
)
def test_importing_is_light(code: str) -> None:
    heavy = ("torch", "transformers", "spacy", "sklearn", "pyarrow")
    probe = f"{code}\nimport sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist() -> None:
    import biolink

    for name in biolink.__all__:
        assert getattr(biolink, name) is not None
    assert set(biolink.__all__) <= set(dir(biolink))
    with pytest.raises(AttributeError):
        biolink.nothing  # noqa: B018


def test_py_typed_is_shipped() -> None:
    import biolink

    assert (Path(biolink.__file__).parent / "py.typed").exists()


#: Folders of the package, whose files must obey the rules of size.
FOLDERS = ("kb", "pretrain", "infer", "finetune", "biolink")
#: Folders beside the package, whose files must obey them, too.
PROGRAMS = ("benchmarks", "examples", ".ci")
MOST_LINES, MOST_METHODS, MOST_STATEMENTS = 450, 20, 60
#: Public methods of named tuples, and names of lxml, torch and transformers without a public form.
NOT_PRIVATE = {
    "_Element",
    "_ElementTree",
    "_asdict",
    "_replace",
    "_int_mm",
    "_is_mkldnn_bf16_supported",
    "_linear_pointwise",
    "_relative_position_bucket",
    "_reorder_linear_weight",
}


def package_files() -> dict[str, Path]:
    """Module -> its file."""
    files = {}
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            package = "biolink" if folder == "biolink" else f"biolink.{folder}"
            files[".".join((package, *parts)).removesuffix(".__init__")] = file
    return files


def imported_modules(file: Path, modules: dict[str, Path]) -> set[str]:
    """Modules of the package that a file imports at run time, also in function bodies."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in for_types:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                found.add(full if full in modules else node.module or "")
    return found & modules.keys()


def test_no_import_circles() -> None:
    modules = package_files()
    imports = {module: imported_modules(file, modules) for module, file in modules.items()}
    while True:
        leaves = {module for module, needed in imports.items() if not needed}
        if not leaves:
            break
        imports = {m: needed - leaves for m, needed in imports.items() if m not in leaves}
    assert not imports, "each of these modules imports itself, by way of others"


def programs() -> list[Path]:
    """The files of programs beside the package, and of the tools in ``.ci``."""
    return [file for folder in PROGRAMS for file in (ROOT / folder).rglob("*.py")]


def test_sizes() -> None:
    """Modules, classes and functions are small; a longer function says why it is longer."""
    assert len(programs()) > 30
    for file in [*package_files().values(), *programs()]:
        text = file.read_text(encoding="utf-8")
        assert text.count("\n") <= MOST_LINES, file
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                methods = [x for x in node.body if isinstance(x, ast.FunctionDef)]
                assert len(methods) <= MOST_METHODS, f"{file}: {node.name}"
            if isinstance(node, ast.FunctionDef):
                lines = ast.get_source_segment(text, node) or ""
                documented = (ast.get_docstring(node, clean=False) or "").count("\n")
                short = lines.count("\n") - documented <= MOST_STATEMENTS
                assert short or "# Long because" in lines, f"{file}: {node.name}"


def _elements(node: ast.Tuple | ast.Call) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else node.args


def private_names(file: Path) -> set[str]:
    """Private names of other modules that a file uses: attributes, imports, strings.

    A name that the file defines or sets on ``self`` is its own.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    own, used = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Attribute):
            of_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            (own if of_self else used).add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            used |= {name.name for name in node.names}
        elif isinstance(node, ast.Tuple | ast.Call):
            # (owner, "_name", ...) and getattr(owner, "_name") reach into the owner.
            owner, name = ([*_elements(node), None, None])[:2]
            if isinstance(owner, ast.Name | ast.Attribute) and isinstance(name, ast.Constant):
                used.add(str(name.value))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    private = re.compile(r"_[a-zA-Z]\w*")
    return {name for name in used - own - NOT_PRIVATE if private.fullmatch(name)}


def test_private_names_are_used_where_they_are_defined() -> None:
    for file in [*package_files().values(), *programs()]:
        assert not private_names(file), file


def test_private_names_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "reads.py"
    file.write_text(
        "from biolink import _a\nx._b()\ngetattr(x, '_f')\nclocked((Linker, '_c', 'c'))\n"
        "class K:\n    def _d(self): return self._e, other._d, other.__dict__\n"
    )
    assert private_names(file) == {"_a", "_b", "_c", "_f"}


def test_the_map_of_contributing_has_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    map_of_rooms = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for package, folder in project["tool"]["setuptools"]["package-dir"].items():
        assert f"| `{folder}/` | `{package}` |" in map_of_rooms, f"no row for {folder}/"


def test_every_package_is_in_the_wheel() -> None:
    """A folder that setuptools does not know works in a checkout, and is missing in the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = project["tool"]["setuptools"]
    folders = {
        file.parent.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("__init__.py")
    }
    assert "infer/names" in folders
    assert {settings["package-dir"][package] for package in settings["packages"]} == folders


def test_tests_mirror_the_folders() -> None:
    folders = {
        file.parent.relative_to(ROOT / "tests").as_posix()
        for file in (ROOT / "tests").rglob("test_*.py")
    }
    for folder in folders - {"."}:
        assert (ROOT / folder).is_dir(), f"tests/{folder} has no folder {folder}"
