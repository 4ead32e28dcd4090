"""Makes Tests/Fixtures/evaluation/probing.safetensors: what SAEBench 0.6.0 and scikit-learn find on small tensors.

    python Tools/make_probing_fixtures.py          # requirements-evaluation.txt

probe.*  70 + 40 rows of 40 columns with labels; for k = 1, 2, 5 the columns that `get_top_k_mean_diff_mask` leaves and
         the test accuracy of `train_sklearn_probe` on them, standardised; for these and for all 40 columns
         scikit-learn's coefficients at a tolerance of 1e-12; the scores of columns of sae-probes 0.4.2 (its formula,
         as the package cannot be imported without its data).
scr.*, tpp.*  a sparse autoencoder [16 features, 10 channels]; x̄ and f̄ of texts of four tokens; linear probes;
         accuracies before and after `perform_feature_ablations`; the scores of `get_scr_plotting_dict` and
         `create_tpp_plotting_dict`. SAEBench draws negatives again for every accuracy; for TPP it is given the draws
         that the file holds instead.
"""

import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import fixture_files
from sae_bench.evals.scr_and_tpp import main as removal
from sae_bench.evals.sparse_probing import probe_training

warnings.filterwarnings("ignore")
PATH = Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "evaluation" / "probing.safetensors"
VERSION, COUNTS = 1, [1, 2, 5]
TOKENS, CHANNELS, FEATURES = 4, 10, 16


def probing(random):
    rows, columns = 110, 40
    labels = (np.arange(rows) % 2).astype(np.int32)
    scales = random.uniform(0.1, 10, columns)
    scales[[7, 21]] = 12, 6
    x = np.maximum(random.normal(-0.3, 1, (rows, columns)), 0) * scales
    # Some columns tell the label, one of them rarely and in small numbers.
    x[:, 7] += labels * random.uniform(0, 2, rows) * x[:, 7].std()
    x[:, 21] += labels * random.uniform(0, 3, rows) * x[:, 21].std()
    x[:, 33] = np.where((random.uniform(0, 1, rows) < 0.3) & (labels == 1), 0.4, 0)
    x[:, 12] = 3.5
    x = x.astype(np.float32)
    train, test = slice(0, 70), slice(70, rows)
    out = {"probe.x": x, "probe.labels": labels}
    tx, ty = torch.from_numpy(x), torch.from_numpy(labels)
    mean, deviation = x[train].astype(np.float64).mean(0), x[train].astype(np.float64).std(0)
    unit = (x - mean) / np.where(deviation > 1e-9, deviation, 1)
    accuracies = []
    for k in [*COUNTS, columns]:
        mask = probe_training.get_top_k_mean_diff_mask(tx[train], ty[train], k).numpy()
        chosen = np.flatnonzero(~mask)
        inputs = torch.from_numpy(unit[:, chosen].astype(np.float32))
        _, accuracy = probe_training.train_sklearn_probe(inputs[train], ty[train], inputs[test], ty[test])
        accuracies.append(accuracy)
        exact = LogisticRegression(C=1.0, tol=1e-12, max_iter=100_000).fit(unit[train][:, chosen], labels[train])
        scores = exact.decision_function(unit[test][:, chosen])
        out[f"probe.columns.{k}"] = chosen.astype(np.int32)
        out[f"probe.coefficients.{k}"] = np.append(exact.coef_[0], exact.intercept_)
        out[f"probe.scores.{k}"] = scores
        out[f"probe.auc.{k}"] = np.array([roc_auc_score(labels[test], scores)])
    out["probe.accuracies"] = np.array(accuracies)
    positive, negative = x[train][labels[train] == 1].astype(float), x[train][labels[train] == 0].astype(float)
    fires = x[train] != 0
    size = x[train].astype(float).sum(0) / np.maximum(fires.sum(0), 1)
    out["probe.scale_free"] = np.abs(positive.mean(0) - negative.mean(0)) / (size + 1e-6)
    return out


class Autoencoder:
    """ReLU without encoder bias, so that masked rows of zeros stay silent."""

    def __init__(self, random):
        decoder = random.normal(0, 1, (FEATURES, CHANNELS))
        decoder *= random.uniform(0.5, 2, (FEATURES, 1)) / np.linalg.norm(decoder, axis=1, keepdims=True)
        self.W_dec = torch.nn.Parameter(torch.from_numpy(decoder.astype(np.float32)))
        self.encoder = torch.from_numpy((decoder.T + 0.3 * random.normal(0, 1, decoder.T.shape)).astype(np.float32))
        self.b_dec = torch.from_numpy(random.normal(0, 1, CHANNELS).astype(np.float32))

    def encode(self, x):
        return torch.relu(x @ self.encoder - 0.4 * (x != 0).any(-1, keepdim=True))

    def decode(self, f):
        return f @ self.W_dec + self.b_dec


def linear(x, labels, strength):
    fitted = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(x.mean(1).numpy(), labels)
    probe = probe_training.Probe(CHANNELS, torch.float32)
    with torch.no_grad():
        probe.net.weight.copy_(torch.from_numpy(fitted.coef_))
        probe.net.bias.copy_(torch.from_numpy(fitted.intercept_))
    return probe


def weights(probe):
    return torch.cat([probe.net.weight[0], probe.net.bias]).detach().numpy()


def pooled(sae, x, prefix):
    return {f"{prefix}.x": x.mean(1).numpy(), f"{prefix}.f": sae.encode(x).mean(1).detach().numpy()}


def scr_tensors(random, sae):
    """Quadrants a+b+, a+b-, a-b+, a-b- one after another: 10 training texts each, then 20 test texts each."""
    q, t = 10, 20
    a, b = (v / np.linalg.norm(v) for v in random.normal(0, 1, (2, CHANNELS)))

    def quadrant(sides, count):
        noise = random.normal(0, 1, (count, TOKENS, CHANNELS))
        return torch.from_numpy((noise + 1.1 * sides[0] * a + 1.3 * sides[1] * b).astype(np.float32))

    sides = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    train, test = [quadrant(s, q) for s in sides], [quadrant(s, t) for s in sides]

    def keyed(parts):
        return {
            "professor / nurse": torch.cat([parts[0], parts[1]]), "nurse_data_only": torch.cat([parts[2], parts[3]]),
            "male / female": torch.cat([parts[0], parts[2]]), "female_data_only": torch.cat([parts[1], parts[3]]),
            "male_professor / female_nurse": torch.cat([parts[0]] * 2),
            "female_nurse_data_only": torch.cat([parts[3]] * 2)}

    acts, tests = keyed(train), keyed(test)
    names = ["professor / nurse", "male / female", "male_professor / female_nurse"]
    pairs = ["nurse_data_only", "female_data_only", "female_nurse_data_only"]
    probes = {}
    for name, other in zip(names, pairs):
        x = torch.cat([acts[name], acts[other]])
        probes[name] = linear(x, np.repeat([1, 0], [len(acts[name]), len(acts[other])]), 1.0)
    effects = removal.get_all_node_effects_for_one_sae(sae, probes, names[:2], True, acts, 7)
    clean = removal.get_probe_test_accuracy(probes, names, {name: x.mean(1) for name, x in tests.items()}, 9, True)
    accuracies = {}
    for name in names[:2]:
        accuracies[name] = {}
        for n in COUNTS:
            mask = removal.select_top_n_features(effects[name], n, name)
            without = {key: removal.ablated_precomputed_activations(x, sae, mask, 7) for key, x in tests.items()}
            accuracies[name][n] = removal.get_probe_test_accuracy(probes, names, without, 9, True)
    scores = removal.get_scr_plotting_dict(accuracies, clean)
    mixed = names[2]
    out = pooled(sae, torch.cat(train + test), "scr")
    out["scr.probes"] = np.stack([weights(probes[name]) for name in names])
    out["scr.clean"] = np.array([clean[names[0]], clean[names[1]]])
    out["scr.confounded"] = np.array([clean[f"{mixed} probe on {name} data"] for name in names[:2]])
    out["scr.ablated"] = np.array([
        [accuracies[names[1 - way]][n][f"{mixed} probe on {names[way]} data"] for n in COUNTS] for way in (0, 1)])
    out["scr.scores"] = np.array([[scores[f"scr_dir{way + 1}_threshold_{n}"] for n in COUNTS] for way in (0, 1)])
    return out


def tpp_tensors(random, sae):
    """Three classes: 20 training texts each, then 25 test texts each; draws [class, positives and negatives]."""
    classes, counts = ["one", "two", "three"], {"train": 20, "test": 25}
    directions = random.normal(0, 1, (3, CHANNELS))
    acts = {split: {
        name: torch.from_numpy((random.normal(0, 1, (n, TOKENS, CHANNELS)) + 0.9 * directions[i]).astype(np.float32))
        for i, name in enumerate(classes)} for split, n in counts.items()}
    draws = {split: [random.permutation(2 * n)[:n] for _ in classes] for split, n in counts.items()}

    def prepared(all_activations, class_name, perform_scr=False):
        positive = all_activations[class_name]
        split = next(split for split, n in counts.items() if n == len(positive))
        others = torch.cat([all_activations[name] for name in classes if name != class_name])
        negative = others[draws[split][classes.index(class_name)]]
        return torch.cat([positive, negative]), torch.tensor([1] * len(positive) + [0] * len(negative), dtype=torch.int)

    probe_training.prepare_probe_data = prepared
    probes = {}
    for name in classes:
        x, y = prepared(acts["train"], name)
        probes[name] = linear(x, y.numpy(), 1.0)
    effects = removal.get_all_node_effects_for_one_sae(sae, probes, classes, False, acts["train"], 7)
    # SAEBench would go on to features that speak for no class; gscope stops.
    assert min(int((effect > 0).sum()) for effect in effects.values()) >= max(COUNTS)
    clean = removal.get_probe_test_accuracy(
        probes, classes, {name: x.mean(1) for name, x in acts["test"].items()}, 9, False)
    ablated = removal.perform_feature_ablations(
        probes, sae, 7, acts["test"], effects, COUNTS, classes, 9, False)
    overall, by_class = removal.create_tpp_plotting_dict(ablated, clean)
    out = pooled(sae, torch.cat([acts[split][name] for split in counts for name in classes]), "tpp")
    for split, n in counts.items():
        start = 0 if split == "train" else 60
        rows = {name: start + i * n + np.arange(n) for i, name in enumerate(classes)}
        out[f"tpp.{split}"] = np.stack([
            np.concatenate([rows[name], np.concatenate([rows[o] for o in classes if o != name])[draws[split][i]]])
            for i, name in enumerate(classes)]).astype(np.int32)
    out["tpp.probes"] = np.stack([weights(probes[name]) for name in classes])
    out["tpp.clean"] = np.array([clean[name] for name in classes])
    out["tpp.ablated"] = np.array([[[ablated[i][n][j] for j in classes] for n in COUNTS] for i in classes])
    out["tpp.scores"] = np.array([overall[f"tpp_threshold_{n}_total_metric"] for n in COUNTS])
    out["tpp.intended"] = np.array([
        [by_class[name][f"tpp_threshold_{n}_intended_diff_only"] for n in COUNTS] for name in classes])
    return out


if __name__ == "__main__":
    random = np.random.default_rng(20260101)
    torch.manual_seed(0)
    sae = Autoencoder(random)
    tensors = {**probing(random), **scr_tensors(random, sae), **tpp_tensors(random, sae),
               "decoder": sae.W_dec.detach().numpy()}
    # fp64 as fp32 would lose what the comparison is for; safetensors keeps both.
    fixture_files.save({name: np.ascontiguousarray(value) for name, value in tensors.items()}, PATH, {
        "version": str(VERSION), "counts": ",".join(map(str, COUNTS)), "sae-bench": "0.6.0", "scikit-learn": "1.9.1"})
    for name in ("probe.accuracies", "scr.clean", "scr.confounded", "scr.ablated", "scr.scores", "tpp.clean",
                 "tpp.ablated", "tpp.scores"):
        print(name, tensors[name].round(3).tolist())
    print(PATH, PATH.stat().st_size)
