"""The packages of the extra ``train``: linking does without them, and training asks for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Makes the packages look as if they were not installed.
HIDDEN = """
import importlib.util, sys

# pandas is installed only because datasets needs it.
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


ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "examples" / "data" / "bc5cdr_20.PubTator"
COMMON = f"""
out = "out"
model = "{ROOT}/biolink/embedded/model"
"""
KB = f'kb = "{ROOT}/biolink/embedded/kb"\n'
ANNOTATED = f'{KB}train = ["{CORPUS}"]\n'
TRAINING = "[training]\nsteps = 1\n"
FINE_TUNING = COMMON + ANNOTATED + TRAINING
SETTINGS = {
    ("pretrain", "denoise"): f'{COMMON}text = ["{CORPUS}"]\n{TRAINING}',
    ("pretrain", "kb-guided"): COMMON + KB + TRAINING,
    ("finetune",): FINE_TUNING,
    ("finetune", "--negatives"): FINE_TUNING,
    ("train", "end-to-end"): FINE_TUNING,
    ("train", "retrieve-read"): f"{COMMON}{ANNOTATED}[retriever]\nsteps = 1\n[reader]\nsteps = 1\n",
    ("train", "recogniser"): f"{COMMON}{ANNOTATED}steps = 1\n",
}


def run(command: tuple[str, ...], settings: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with a file of settings and without the packages."""
    (folder / "a.toml").write_text(settings)
    return output_of("from biolink.cli import main; main()", *command, folder / "a.toml")


@pytest.mark.parametrize("command", SETTINGS, ids=" ".join)
def test_every_training_names_the_extra(tmp_path: Path, command: tuple[str, ...]) -> None:
    done = run(command, SETTINGS[command], tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "biolink: error: training needs the package accelerate: pip install 'biolink[train]'\n"
    )
    assert not (tmp_path / "out").exists()


def test_the_loop_names_the_extra() -> None:
    done = output_of(
        "from pathlib import Path\n"
        "from biolink.pretrain.training.running import run_training\n"
        "run_training(*[None] * 5, Path('out'), stage=None)\n"
    )
    assert "MissingDependencyError: training needs the package accelerate" in done.stderr


@pytest.mark.parametrize(
    "command", [("export-pairs", "-o", "{}/pairs"), ("pretrain", "kb-guided", "--preview", "1")]
)
def test_what_trains_nothing_works_without_them(tmp_path: Path, command: tuple[str, ...]) -> None:
    settings = SETTINGS[("finetune",) if command[0] == "export-pairs" else command[:2]]
    done = run(tuple(word.format(tmp_path) for word in command), settings, tmp_path)
    assert done.returncode == 0, done.stderr
