"""What `gscope evaluate` should print, from codes, reconstructions and losses in fp64: docs/metrics.md, in NumPy."""

import copy

import numpy as np
from scipy.stats import t as student

from parity_twin import Part, Splice, Twin, losses


def ratio(a, b, offset=0.0, sign=1.0):
    """A / B over sequences with its 95 % interval (Cochran 1977, section 6.4)."""
    a, b = np.asarray(a, float) * sign, np.asarray(b, float)
    value, count = a.sum() / b.sum(), len(a)
    error = np.sqrt(count / (count - 1) * np.sum((a - value * b) ** 2)) / abs(b.sum())
    half = error * student.ppf(0.975, count - 1)
    return value + offset, value + offset - half, value + offset + half


class Sequence:
    """One sequence at one dictionary, <bos> left out: y what is there and z what is written, [writes, tokens, d]; the
    codes; positions, which begin with 1."""

    def __init__(self, part: Part, found: dict):
        self.codes, z = part.apply(found)
        self.codes, self.z = [code[1:] for code in self.codes], z[:, 1:]
        self.y = np.stack([found[site][1:] for site in part.writes])
        self.lengths = np.linalg.norm(found[part.reads[0]][1:], axis=1)
        self.positions = np.arange(self.y.shape[1]) + 1

    def only(self, rows):
        """The same with some tokens alone."""
        new = copy.copy(self)
        new.codes, new.y, new.z = [code[rows] for code in self.codes], self.y[:, rows], self.z[:, rows]
        new.positions = self.positions[rows]
        return new

    def kept(self, factor):
        """Without tokens longer than `factor` medians (the upper one of two) at the first site read."""
        return self.only(self.lengths <= factor * np.sort(self.lengths)[len(self.lengths) // 2])

    @property
    def active(self):
        """For each read the active features of each token."""
        return np.stack([(code > 0).sum(1) for code in self.codes])


def means(sequences):
    """Of each write over all tokens, [writes, 1, d]."""
    return np.concatenate([s.y for s in sequences], axis=1).mean(1, keepdims=True)


def reconstruction(sequences, writes=None, middle=None) -> dict:
    """The figures over `writes` (None: all), with variances about `middle` (None: the mean of these sequences)."""
    chosen = slice(None) if writes is None else writes
    middle = (means(sequences) if middle is None else middle)[chosen]
    sums = {name: [] for name in ("n", "l0", "e", "v", "cos", "ratio", "out", "dot", "all")}
    for s in sequences:
        y, z = s.y[chosen], s.z[chosen]
        lengths, outputs = np.linalg.norm(y, axis=2), np.linalg.norm(z, axis=2)
        for name, value in {
            "n": y.shape[1], "l0": s.active.sum(), "e": ((y - z) ** 2).sum(), "v": ((y - middle) ** 2).sum(),
            "cos": ((y * z).sum(2) / lengths / outputs).sum(), "ratio": (outputs / lengths).sum(),
            "out": (z**2).sum(), "dot": (y * z).sum(), "all": y.shape[0] * y.shape[1],
        }.items():  # fmt: skip
            sums[name].append(value)
    found = {
        "l0": ratio(sums["l0"], sums["n"]), "mse": ratio(sums["e"], sums["all"]), "fvu": ratio(sums["e"], sums["v"]),
        "explained_variance": ratio(sums["e"], sums["v"], 1, -1), "cosine": ratio(sums["cos"], sums["all"]),
        "reconstruction_bias": ratio(sums["out"], sums["dot"]), "norm_ratio": ratio(sums["ratio"], sums["all"]),
    }  # fmt: skip
    if writes is not None:
        del found["l0"]  # is not a site's
    return found


def by_read(sequences) -> list:
    n = [s.y.shape[1] for s in sequences]
    return [ratio([s.active[read].sum() for s in sequences], n) for read in range(len(sequences[0].codes))]


def density(sequences) -> dict:
    counts = np.concatenate([sum((s.codes[r] > 0).sum(0) for s in sequences) for r in range(len(sequences[0].codes))])
    tokens = sum(s.y.shape[1] for s in sequences)
    bins = int(np.ceil(4 * np.log10(tokens)))
    places = np.floor(4 * np.log10(counts[counts > 0] / tokens)).astype(int) + bins
    found = {"dead": int((counts == 0).sum()),
             "histogram": np.bincount(np.clip(places, 0, bins - 1), minlength=bins).tolist()}  # fmt: skip
    for name, limit in (("over_1_percent", 0.01), ("over_10_percent", 0.1)):
        often = counts > limit * tokens
        found[name] = (float(often.mean()), float(counts[often].sum() / counts.sum()))
    return found


def buckets(positions):
    """(first, last, which) of each bucket in use: positions 0, 1, 2–3, 4–7, …"""
    bits = np.array([int(p).bit_length() for p in positions])
    return [(0 if b == 0 else 1 << (b - 1), 0 if b == 0 else (1 << b) - 1, bits == b) for b in sorted(set(bits))]


def positions(sequences) -> dict:
    """By bucket of positions; intervals over the sequences that reach it."""
    middle, found = means(sequences), {}
    for first, last, _ in buckets(np.concatenate([s.positions for s in sequences])):
        some = [s.only((s.positions >= first) & (s.positions <= last)) for s in sequences]
        some = [s for s in some if len(s.positions)]
        values = {"from": first, "to": last, "tokens": sum(len(s.positions) for s in some)}
        for name, value in (values | reconstruction(some, middle=middle)).items():
            found.setdefault(name, []).append(value)
    return found


class Losses:
    """The losses of the model with something put in place, sequence by sequence, beside the unchanged model's."""

    def __init__(self, model: Twin, sequences: list):
        self.model, self.sequences = model, sequences
        self.clean = [None] * len(sequences)

    def run(self, asked: dict) -> dict:
        """Of each name the (loss, KL) arrays of the sequences; `asked` makes (sites, change, whether KL counts) of a
        sequence's number."""
        found = {name: [] for name in asked}
        for number, ids in enumerate(self.sequences):
            _, clean = self.model.run(ids, ())
            self.clean[number], _ = losses(clean, clean, ids, divergence=False)
            for name, make in asked.items():
                sites, change, divergence = make(number)
                _, logits = self.model.run(ids, sites, change)
                found[name].append(losses(logits, clean, ids, divergence))
        return found

    def figures(self, spliced, mean=None, zero=None) -> dict:
        p = [len(loss) for loss in self.clean]
        total = {"clean": [x.sum() for x in self.clean], "spliced": [x.sum() for x, _ in spliced]}
        found = {
            "spliced loss": ratio(total["spliced"], p), "KL": ratio([kl.sum() for _, kl in spliced], p),
            "delta loss": ratio(np.subtract(total["spliced"], total["clean"]), p),
            "delta loss by position": self.by_position([x - clean for (x, _), clean in zip(spliced, self.clean)]),
            "KL by position": self.by_position([kl for _, kl in spliced]),
        }  # fmt: skip
        for name, runs in (("mean", mean), ("zero", zero)):
            if runs:
                ablated = [x.sum() for x, _ in runs]
                saved, cost = np.subtract(ablated, total["spliced"]), np.subtract(ablated, total["clean"])
                found |= {f"{name}-ablated loss": ratio(ablated, p), f"recovered of {name}": ratio(saved, cost)}
        return found

    @property
    def loss(self):
        return ratio([x.sum() for x in self.clean], [len(x) for x in self.clean])

    def by_position(self, values) -> list:
        """Means of what sequences have at each prediction, with their intervals."""
        found = []
        for first, last, _ in buckets(np.concatenate([np.arange(len(x)) for x in values])):
            some = [x[first : last + 1] for x in values if len(x) > first]
            found.append(ratio([x.sum() for x in some], [len(x) for x in some]))
        return found


def fixed(values: dict, divergence=False):
    """Puts [tokens, d] in the place of each site."""
    return list(values), lambda site, x: np.broadcast_to(values[site], x.shape), divergence


def live(parts: list):
    splice = Splice(parts)
    return splice.sites, splice, True
