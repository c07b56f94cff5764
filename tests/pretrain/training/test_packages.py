"""The packages of the extra ``train``: linking does without them, and training asks for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Makes the packages look as if they were not installed.
HIDDEN = """
import importlib.util, sys

NAMES = ("accelerate", "datasets", "pandas")

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name in NAMES else find_spec(name, *a)
"""


def output_of(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HIDDEN + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_linking_works_without_them() -> None:
    done = output_of(
        "import biolink, spacy\n"
        "document = biolink.link('Aspirin for asthma.')\n"
        "print([m.best.concept_id for m in document.mentions])\n"
        "nlp = spacy.blank('en')\n"
        "nlp.add_pipe('biolink')\n"
        "print([e.kb_id_ for e in nlp('Aspirin for asthma.').ents])\n"
        "gold = document.with_mentions(\n"
        "    biolink.Mention(m.start, m.end, m.text, concept_ids=(m.best.concept_id,))\n"
        "    for m in document.mentions\n"
        ")\n"
        "linked = biolink.load().pipe([gold], recognise=False)\n"
        "print(biolink.evaluate(linked).strict.recall_at_1)\n"
        "kb = biolink.KnowledgeBase.from_concepts([biolink.Concept('A', 'a', ('b',))])\n"
        "print(kb)\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["['D001241', 'D001249']"] * 2
    assert done.stdout.splitlines()[2] == "1.0"
    assert done.stdout.splitlines()[-1] == "<KnowledgeBase: 1 concept, 2 names>"


@pytest.mark.parametrize("arguments", [("pretrain", "kb-guided"), ("finetune",)])
def test_training_names_the_extra(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    file = tmp_path / "a.toml"
    file.write_text("")
    done = output_of("from biolink.cli import main; main()", *arguments, file)
    assert done.returncode == 1
    assert done.stderr == (
        "biolink: error: training needs the package accelerate: pip install 'biolink[train]'\n"
    )
