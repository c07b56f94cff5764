"""The examples in docstrings print what they say.

They run in this process, so those that load the embedded model share it. White space does not
matter, and ``...`` stands for anything, as in the examples of the manual.
"""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_architecture import package_files

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = [
    module
    for module, file in sorted(package_files().items())
    if ">>> " in file.read_text(encoding="utf-8")
]


def examples_of(module: str) -> list[doctest.DocTest]:
    """The examples of a module, one test for each docstring that has any."""
    tests = doctest.DocTestFinder(exclude_empty=True).find(import_module(module), module)
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tests = examples_of(module)
    assert tests, "the examples are not in docstrings that doctest sees"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in tests:
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_a_wrong_example_fails() -> None:
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(optionflags=FLAGS).run(test, out=lambda text: None).failed == 1
