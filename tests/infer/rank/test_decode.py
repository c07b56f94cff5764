"""The beam search against exhaustive scoring and against transformers' generate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from biolink.errors import BiolinkError, ConfigError, ModelError
from biolink.infer.network.backbone import Backbone
from biolink.infer.rank import beam_search, score
from biolink.infer.rank.beam_search import EXACT, FAST, DecodingOptions, constrained_beam_search
from biolink.infer.rank.score import name_log_probs, name_sums, pack
from biolink.kb.trie import NameTrie
from tests.tiny_models import bart, t5

VOCABULARY = 60
EOS = 3
MENTIONS = 6


def sequences() -> list[list[int]]:
    """A few hundred names, some of them prefixes of others."""
    rng = np.random.default_rng(0)
    names = {tuple(rng.integers(4, VOCABULARY, rng.integers(1, 8)).tolist()) for _ in range(300)}
    names |= {(5,), (5, 6), (5, 6, 7), (5, 6, 7, 8, 9, 10, 11)}
    return [[*name, EOS] for name in sorted(names)]


class Setting:
    def __init__(self, kind: str) -> None:
        self.model: Any = bart(VOCABULARY) if kind == "bart" else t5(VOCABULARY)
        self.backbone = Backbone(self.model)
        self.names = sequences()
        self.trie = NameTrie.from_sequences(self.names)
        generator = torch.Generator().manual_seed(1)
        self.source = torch.randint(4, VOCABULARY, (MENTIONS, 10), generator=generator)
        self.mask = torch.ones_like(self.source)
        self.mask[1, 7:] = 0
        self.mask[3, 4:] = 0
        self.source[self.mask == 0] = 0
        rng = np.random.default_rng(1)
        start = self.backbone.start_id
        self.prompts = [
            [start, *rng.integers(4, VOCABULARY, size).tolist()] for size in (3, 0, 2, 5, 1, 4)
        ]
        with torch.inference_mode():
            states = self.backbone.encode(self.source, self.mask)
            self.memory = self.backbone.memory(states, self.mask)
            packed = pack(self.prompts, [self.names] * MENTIONS, 0)
            self.sums, self.lengths, _ = name_log_probs(self.backbone, self.memory, packed)

    def search(self, options: DecodingOptions, only: int | None = None) -> list[Any]:
        memory, prompts = self.memory, self.prompts
        if only is not None:
            memory, prompts = memory.select(torch.tensor([only])), [prompts[only]]
        return constrained_beam_search(self.backbone, self.trie, memory, prompts, options)

    def name(self, hypothesis: Any) -> int:
        return int(self.trie.names_at(hypothesis.leaf)[0])


@pytest.fixture(scope="module", params=["bart", "t5"])
def setting(request: pytest.FixtureRequest) -> Setting:
    return Setting(request.param)


def test_scores_of_given_names_equal_the_models_own(setting: Setting) -> None:
    for mention in range(MENTIONS):
        prompt = setting.prompts[mention]
        for number in (0, 10, 50):
            name = setting.names[number]
            with torch.inference_mode():
                logits = setting.model(
                    input_ids=setting.source[mention : mention + 1],
                    attention_mask=setting.mask[mention : mention + 1],
                    decoder_input_ids=torch.tensor([[*prompt, *name[:-1]]]),
                ).logits.log_softmax(-1)[0]
            expected = sum(float(logits[len(prompt) - 1 + i, t]) for i, t in enumerate(name))
            assert float(setting.sums[mention, number]) == pytest.approx(expected, abs=1e-3)


def test_sums_can_be_computed_without_all_log_probabilities(setting: Setting) -> None:
    packed = pack(setting.prompts, [setting.names, *[setting.names[:7]] * (MENTIONS - 1)], 0)
    with torch.inference_mode():
        wanted = name_log_probs(setting.backbone, setting.memory, packed)
    found = name_sums(setting.backbone, setting.memory, packed)
    for one, other in zip(found, wanted, strict=False):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)
    assert len(packed.places) > 2 * score._TOGETHER
    # Common beginnings are scored once.
    assert packed.tokens.shape[1] < sum(map(len, setting.names))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("stop", ["topk", "best"])
def test_wide_beam_equals_exhaustive_scoring(setting: Setting, penalty: float, stop: Any) -> None:
    options = DecodingOptions(beam=400, length_penalty=penalty, stop=stop, keep=5)
    exhaustive = (setting.sums / setting.lengths**penalty).numpy()
    for mention, found in enumerate(setting.search(options)):
        order = np.argsort(-exhaustive[mention], kind="stable")[:5]
        assert [setting.name(h) for h in found[:5]] == order.tolist()
        for hypothesis, number in zip(found[:5], order, strict=True):
            assert hypothesis.score == pytest.approx(exhaustive[mention, number], abs=1e-4)
            assert hypothesis.length == len(setting.names[number])


@pytest.mark.parametrize("wrong", ["tokens", "nodes"])
@torch.inference_mode()
def test_a_result_that_is_not_a_path_of_the_trie_is_an_error(setting: Setting, wrong: str) -> None:
    search = beam_search.Search(
        setting.backbone, setting.trie, setting.memory, setting.prompts, DecodingOptions(beam=400)
    )
    search.advance()
    search.advance()
    # Paths are exchanged; the scores stay the same.
    of_rows = getattr(search.rows, wrong)
    of_rows[:, 1] = np.roll(of_rows[:, 1], 100)
    with pytest.raises(BiolinkError, match="is not a path of the name trie"):
        while len(search.rows.node):
            search.advance()


def test_fairseq_normalisation_counts_the_prompt(setting: Setting) -> None:
    options = DecodingOptions(beam=400, normalise="fairseq")
    for mention, found in enumerate(setting.search(options)):
        prompt = setting.prompts[mention]
        prompt_sum = 0.0
        if len(prompt) > 1:
            with torch.inference_mode():
                logits = setting.model(
                    input_ids=setting.source[mention : mention + 1],
                    attention_mask=setting.mask[mention : mention + 1],
                    decoder_input_ids=torch.tensor([prompt]),
                ).logits.log_softmax(-1)[0]
            prompt_sum = sum(float(logits[i, t]) for i, t in enumerate(prompt[1:]))
        sums, lengths = setting.sums[mention], setting.lengths[mention]
        scores = ((sums + prompt_sum) / (lengths + len(prompt) - 1)).numpy()
        assert setting.name(found[0]) == int(scores.argmax())
        assert found[0].score == pytest.approx(float(scores.max()), abs=1e-4)


def nested(names: list[list[int]]) -> dict[int, Any]:
    root: dict[int, Any] = {}
    for name in names:
        node = root
        for token in name:
            node = node.setdefault(token, {})
    return root


def test_exact_rule_equals_generate_with_a_prefix_constraint(setting: Setting) -> None:
    tree = nested(setting.names)
    for mention in range(MENTIONS):
        size = len(setting.prompts[mention])

        def allowed(_: int, ids: torch.Tensor, size: int = size) -> list[int]:
            node = tree
            for token in ids.tolist()[size:]:
                node = node.get(token, {})
            return list(node) or [EOS]

        real = int(setting.mask[mention].sum())
        output = setting.model.generate(
            input_ids=setting.source[mention : mention + 1, :real],
            attention_mask=setting.mask[mention : mention + 1, :real],
            decoder_input_ids=torch.tensor([setting.prompts[mention]]),
            prefix_allowed_tokens_fn=allowed,
            num_beams=5,
            length_penalty=1.0,
            early_stopping=False,
            max_new_tokens=12,
            output_scores=True,
            return_dict_in_generate=True,
        )
        tokens = output.sequences[0].tolist()[size:]
        tokens = tokens[: tokens.index(EOS) + 1]
        best = setting.search(EXACT, mention)[0][0]
        assert setting.names[setting.name(best)] == tokens
        assert best.score == pytest.approx(float(output.sequences_scores[0]), abs=1e-4)


@pytest.mark.parametrize("options", [EXACT, FAST])
def test_results_do_not_depend_on_the_batch(setting: Setting, options: DecodingOptions) -> None:
    together = setting.search(options)
    for mention in range(MENTIONS):
        alone = setting.search(options, mention)[0]
        assert [h.leaf for h in alone] == [h.leaf for h in together[mention]]
        for one, other in zip(alone, together[mention], strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)


def test_fewer_rows_change_nothing(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = setting.search(EXACT)
    cut: list[int] = []
    partition = np.partition

    def counted(values: np.ndarray, kth: int) -> np.ndarray:
        cut.append(len(values))
        return partition(values, kth)

    monkeypatch.setattr(beam_search, "_MANY", 3)
    monkeypatch.setattr(np, "partition", counted)
    assert setting.search(EXACT) == whole
    assert min(cut) > 2 * EXACT.beam


def test_pruning_drops_hopeless_hypotheses_alone(setting: Setting) -> None:
    def run(prune: float | None) -> tuple[list[Any], int]:
        rows = 0
        decoded = setting.backbone.decode

        def counted(tokens: torch.Tensor, *given: Any) -> Any:
            nonlocal rows
            rows += len(tokens)
            return decoded(tokens, *given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(setting.backbone, "decode", counted)
            return setting.search(DecodingOptions(stop="best", keep=1, prune=prune)), rows

    whole, every = run(None)
    wide, as_many = run(1e6)
    narrow, few = run(0.0)
    assert wide == whole and as_many == every
    # Random weights are unsure, so a small limit drops hypotheses; the rest are names.
    assert few < every
    for found in narrow:
        assert found
        assert all(setting.name(h) >= 0 for h in found)
        assert found == sorted(found, key=lambda h: -h.score)


def test_every_output_is_a_name_and_none_repeats(setting: Setting) -> None:
    for found in setting.search(DecodingOptions(beam=20)):
        leaves = [h.leaf for h in found]
        assert len(set(leaves)) == len(leaves) == 20
        assert all(len(setting.trie.names_at(leaf)) for leaf in leaves)


def test_restricted_trie_gives_only_its_names(setting: Setting) -> None:
    mask = np.zeros(len(setting.names), dtype=bool)
    mask[[3, 50, 120]] = True
    trie = setting.trie.restrict(mask)
    found = constrained_beam_search(setting.backbone, trie, setting.memory, setting.prompts)
    for hypotheses in found:
        assert {int(trie.names_at(h.leaf)[0]) for h in hypotheses} == {3, 50, 120}
    with pytest.raises(BiolinkError, match="no names"):
        empty = setting.trie.restrict(np.zeros(len(setting.names), dtype=bool))
        constrained_beam_search(setting.backbone, empty, setting.memory, setting.prompts)


def test_options_and_architectures_are_checked() -> None:
    with pytest.raises(ConfigError):
        DecodingOptions(beam=0)
    with pytest.raises(ConfigError, match="normalise"):
        DecodingOptions(normalise="other")  # type: ignore[arg-type]
    from transformers import PegasusConfig, PegasusForConditionalGeneration

    config = PegasusConfig(
        vocab_size=10, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8, max_position_embeddings=16,
    )  # fmt: skip
    with pytest.raises(ModelError, match="pegasus"):
        Backbone(PegasusForConditionalGeneration(config))
