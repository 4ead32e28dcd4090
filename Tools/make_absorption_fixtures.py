"""Makes Tests/Fixtures/evaluation/absorption-*.safetensors: what SAEBench 0.6.0's own absorption code says of small inputs.

    python Tools/make_absorption_fixtures.py

needs requirements-absorption.txt. All runs are in fp64.

absorption-probe: its probe trainer on six columns and four classes, without ("plain") and with ("l1") the L1 term.
    x [37, 6], labels [37]; start.weight [4, 6], start.bias [4]; plain.*, l1.*: the trained weight and bias. The rows of an
    epoch come in the order of `order`, in batches of 8; three epochs.
absorption-splits: its k-sparse probes and feature splits of sparse rows. train.* and test.*: row_offsets, features,
    activations and labels of the words' codes (width 60); start values by `start_weight`, orders by `order`, batches of 40,
    four epochs; its logistic regressions are run to a tolerance of 1e-10 in fp64. l1.weight [26, 60], f1 [26, 10], chosen [26, 10]: the columns by weight; splits [26]: how many of them are
    the letter's split features; exact.weight [26, 3], exact.bias [26]: the balanced logistic regression on the first
    three columns, converged.
absorption-words: its absorption calculator on 60 words. x [60, 24], codes (row_offsets, features, activations; width 40),
    decoder [40, 24] of unit rows, probe [24], main.0, main.1 …: feature sets; fraction.i, full.i, and projection [60].
    The metadata's prompt is a text made by its prompting code from the words in examples.
"""

import json
import random
from pathlib import Path
from types import SimpleNamespace

import fixture_files
import numpy as np
import torch
from sae_bench.evals.absorption import k_sparse_probing, probing
from sae_bench.evals.absorption.feature_absorption_calculator import FeatureAbsorptionCalculator
from sae_bench.evals.absorption.prompting import create_icl_prompt
from sklearn.linear_model import LogisticRegression

FOLDER = Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "evaluation"
VERSION, LETTERS = "1", 26


def order(epoch: int, count: int) -> list[int]:
    """Some order of the rows that is another in every epoch; 29 and the counts used have no common divisor."""
    return [(29 * i + 7 * epoch) % count for i in range(count)]


def start_weight(outputs: int, inputs: int) -> torch.Tensor:
    """Values that need not be stored."""
    return torch.tensor([[((31 * o + 17 * i) % 13 - 6) / 60 for i in range(inputs)] for o in range(outputs)])


class OrderedLoader:
    """Stands in for a DataLoader that shuffles."""

    def __init__(self, dataset, batch_size: int, shuffle: bool = True):
        self.dataset, self.batch_size, self.epoch = dataset, batch_size, 0

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        rows = order(self.epoch, len(self.dataset))
        self.epoch += 1
        for start in range(0, len(rows), self.batch_size):
            chosen = rows[start : start + self.batch_size]
            yield tuple(tensor[chosen] for tensor in self.dataset.tensors)


class StartedProbe(probing.LinearProbe):
    """Starts from values that Swift knows too."""

    def __init__(self, input_dim: int, num_outputs: int = 1):
        super().__init__(input_dim, num_outputs)
        with torch.no_grad():
            self.fc.weight.copy_(start_weight(num_outputs, input_dim))
            self.fc.bias.copy_(start_weight(num_outputs, 1)[:, 0])


class ConvergedRegression(LogisticRegression):
    """In fp64 and to the end: in fp32 and at the default tolerance of 1e-4 scores near 0 fall on either side."""

    def __init__(self, max_iter=500, class_weight=None):
        super().__init__(max_iter=max_iter, class_weight=class_weight, tol=1e-10)

    def fit(self, x, y):
        return super().fit(x.astype(np.float64), y)


def save(tensors: dict, name: str, **metadata: str) -> None:
    fixture_files.save(tensors, FOLDER / f"{name}.safetensors", {"version": VERSION, **metadata})


def sparse(name: str, dense: torch.Tensor) -> dict:
    rows, features = dense.nonzero(as_tuple=True)
    offsets = torch.zeros(len(dense) + 1, dtype=torch.int64)
    offsets[1:] = torch.bincount(rows, minlength=len(dense)).cumsum(0)
    return {
        f"{name}row_offsets": offsets, f"{name}features": features.int(), f"{name}activations": dense[rows, features].float()}


def make_probe() -> None:
    x = torch.randn(37, 6).float().double()
    labels = torch.arange(37) % 4
    y = torch.nn.functional.one_hot(labels)
    tensors = {"x": x.float(), "labels": labels.int(), "start.weight": start_weight(4, 6), "start.bias": start_weight(4, 1)[:, 0]}
    settings = dict(batch_size=8, num_epochs=3, show_progress=False, device=torch.device("cpu"))
    plain = probing.train_multi_probe(x, y, weight_decay=1e-4, **settings)
    l1 = k_sparse_probing.train_sparse_multi_probe(x, y, **settings)
    for name, probe in {"plain": plain, "l1": l1}.items():
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = probe.weights.detach(), probe.biases.detach()
    save(tensors, "absorption-probe")


def letter_codes(words: int, width: int) -> tuple[torch.Tensor, list[tuple[str, int]]]:
    """Letters with one feature, with two that share its words, with one that misses some, and noise."""
    codes, labels = [], []
    for letter in range(LETTERS):
        for word in range(words):
            code = torch.zeros(width)
            main = letter if letter % 3 != 1 or word % 2 == 0 else LETTERS + letter
            if letter % 3 != 2 or word % 4:
                code[main] = 1 + torch.rand(())
            for other in torch.randperm(width)[:3]:
                if other != main and torch.rand(()) < 0.7:
                    code[other] = torch.rand(())
            codes.append(code)
            labels.append((f"w{letter}x{word}", letter))
    return torch.stack(codes).float().double(), labels


def make_splits() -> None:
    width = 60
    (train, train_labels), (test, test_labels) = letter_codes(7, width), letter_codes(4, width)
    eye = torch.eye(width)
    sae = SimpleNamespace(
        encode=lambda x: x, device=torch.device("cpu"), dtype=torch.float64, cfg=SimpleNamespace(d_sae=width), W_enc=eye, W_dec=eye)
    probes = k_sparse_probing.train_k_sparse_probes(
        sae, train_labels, train, ks=range(1, 11), batch_size=40, num_epochs=4, precalc_sae_acts=True)
    l1 = k_sparse_probing.train_sparse_multi_probe(
        train, torch.nn.functional.one_hot(torch.tensor([label for _, label in train_labels])), batch_size=40, num_epochs=4,
        device=sae.device, show_progress=False)
    truth = probing.LinearProbe(width, LETTERS).double()
    raw = k_sparse_probing.eval_probe_and_sae_k_sparse_raw_scores(sae, truth, probes, test_labels, test)
    margin = min(
        abs(raw[f"score_sparse_sae_{letter}_k_{k}"]).min() for letter in k_sparse_probing.LETTERS for k in range(1, 11))
    assert margin > 1e-5, f"a score of {margin} may fall on either side of 0"
    metadata = k_sparse_probing.sae_k_sparse_metadata(sae, truth, probes, "fixture", 0)
    metrics = k_sparse_probing.build_metrics_df(raw, metadata, 10)
    k_sparse_probing.add_feature_splits_to_metrics_df(metrics, 10)
    weights = l1.weights.detach()
    gaps = weights.topk(11).values.diff().abs().min()
    assert gaps > 1e-9, "columns of equal weight"
    exact = [
        LogisticRegression(class_weight="balanced", tol=1e-12, max_iter=10_000).fit(
            train[:, probes[3][letter].feature_ids].numpy(), np.array([label == letter for _, label in train_labels]))
        for letter in range(LETTERS)
    ]
    save(
        {
            **sparse("train.", train), **sparse("test.", test),
            "train.labels": torch.tensor([label for _, label in train_labels]).int(),
            "test.labels": torch.tensor([label for _, label in test_labels]).int(),
            "l1.weight": weights.float(),
            "f1": torch.tensor(metrics[[f"f1_sparse_sae_{k}" for k in range(1, 11)]].to_numpy()),
            "chosen": torch.stack([probes[10][letter].feature_ids for letter in range(LETTERS)]).int(),
            "splits": torch.tensor([len(features) for features in metrics["split_feats"]]).int(),
            "exact.weight": torch.tensor(np.stack([probe.coef_[0] for probe in exact])),
            "exact.bias": torch.tensor(np.stack([probe.intercept_[0] for probe in exact])),
        },
        "absorption-splits")


def make_words() -> None:
    words, d, width = 60, 24, 40
    probe = torch.zeros(d)
    probe[0] = 1
    probe = torch.nn.functional.normalize(probe + 0.1 * torch.randn(d), dim=0)
    # Features 0 to 2 are the letter's, 3 to 9 lean towards it, a few against it, the rest are whatever they are.
    lean = torch.tensor([3.0] * 3 + [1.5, 1, 0.7, 0.5, 0.3, 0.2, 0.1] + [-1.0] * 3 + [0.0] * (width - 13))
    decoder = torch.nn.functional.normalize(torch.randn(width, d) / d**0.5 + lean[:, None] * probe, dim=-1)
    decoder = decoder.float().double()
    codes = torch.rand(words, width) * (torch.rand(words, width) < 0.15)
    codes[::2, :3] = 0  # the letter's features are silent on half the words
    codes[1::4, 0] += 0.3
    codes = codes.float().double()
    x = (codes @ decoder + 0.1 * torch.randn(words, d) - 0.2 * (torch.arange(words) % 7 == 0)[:, None] * probe).float().double()
    names = [f"word{index}" for index in range(words)]
    tensors = {"x": x.float(), **sparse("", codes), "decoder": decoder.float(), "probe": probe}

    class Model:
        """Gives the rows of x one batch after another, whatever the prompt."""

        def __init__(self):
            self.next = 0

        def to_tokens(self, text: str):
            return [[0]]

        def run_with_cache(self, prompts: list[str], names_filter: list[str]):
            rows = x[self.next : self.next + len(prompts)]
            self.next += len(prompts)
            return None, {names_filter[0]: rows[:, None]}

    remembered = {tuple(row.tolist()): code for row, code in zip(x, codes)}
    sae = SimpleNamespace(
        device=torch.device("cpu"), W_dec=decoder, encode=lambda rows: torch.stack([remembered[tuple(r.tolist())] for r in rows]))
    seen = set()
    for index, main in enumerate([[0], [0, 1, 2], [4, 1]]):
        calculator = FeatureAbsorptionCalculator(
            model=Model(), icl_word_list=["apple", "bear"], max_icl_examples=2, word_token_pos=0,
            probe_projection_proportion_threshold=0.4, absorption_fraction_max_absorbing_latents=3)
        found = calculator.calculate_absorption(sae, names, 2.5 * probe, main, layer=0, show_progress=False).word_results
        tensors[f"main.{index}"] = torch.tensor(main).int()
        tensors[f"fraction.{index}"] = torch.tensor([float(word.absorption_fraction) for word in found])
        tensors[f"full.{index}"] = torch.tensor([word.is_full_absorption for word in found]).int()
        tensors["projection"] = torch.tensor([word.probe_projection for word in found])
        seen |= {(word.is_full_absorption, min(1, max(0, round(2 * float(word.absorption_fraction))))) for word in found}
        print(index, sum(word.is_full_absorption for word in found), sorted({round(float(w.absorption_fraction), 2) for w in found}))
    assert len(seen) >= 3, seen
    examples = ["apple", " Bear", "cat"]
    prompt = create_icl_prompt(
        " dog", examples, base_template="{word} has the first letter:", shuffle_examples=False,
        prepend_separator_to_first_example=True)
    save(tensors, "absorption-words", prompt=prompt.base, examples=json.dumps(examples), word=" dog")


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(4)
    random.seed(4)
    probing.DataLoader, probing.LinearProbe = OrderedLoader, StartedProbe
    k_sparse_probing.LogisticRegression = ConvergedRegression
    make_probe()
    make_splits()
    make_words()
