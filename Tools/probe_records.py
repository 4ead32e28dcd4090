"""Records of labelled texts: how they are drawn from documents, and what every set must be."""

import hashlib
import random
import sys
from collections import Counter

SEED, EACH = 20260101, 200
# gscope takes no smaller class (LabelledTexts.minimumClass).
MINIMUM_CLASS = 20


def is_test(document):
    return hashlib.sha256(f"{SEED} {document}".encode()).digest()[0] % 4 == 0


def records(label, documents, each=EACH, least=(20, 40)):
    """Texts of {class: [(document, [text])]}: at most `each` a class, a quarter of the documents for tests; a class
    with fewer than `least` texts to test and to train on is left out."""
    # A text that two classes have tells nothing.
    classes = {}
    for name, pairs in documents.items():
        for text in (text for _, texts in pairs for text in texts):
            classes.setdefault(text, set()).add(name)
    found = []
    for name, pairs in sorted(documents.items()):
        texts = [(document, text) for document, texts in pairs for text in texts]
        random.Random(f"{SEED} {label} {name}").shuffle(texts)
        unique = {text: document for document, text in texts if len(classes[text]) == 1}
        own = [
            {"id": f"{name}-{i:04d}", "text": text, "labels": {label: name}, "document": str(document),
             "split": "test" if is_test(document) else "train"}
            for i, (text, document) in enumerate(list(unique.items())[:each])
        ]
        tests = sum(record["split"] == "test" for record in own)
        if tests < least[0] or len(own) - tests < least[1]:
            print(f"notice: {label} '{name}' is left out: {len(own)} texts, {tests} to test", file=sys.stderr)
        else:
            found += own
    return found


def fault(records):
    """What is wrong about a set, or None: gscope would refuse it, or its figures would be too good."""
    if not records:
        return "it has no texts"
    for what in ("id", "text"):
        value, count = Counter(record[what] for record in records).most_common(1)[0]
        if count > 1:
            return f"{count} records have the {what} {value[:60]!r}"
    if empty := [record["id"] for record in records if not record["text"].strip()]:
        return f"the text of {empty[0]} is empty"
    splits = {}
    for record in records:
        if "document" in record and splits.setdefault(record["document"], record["split"]) != record["split"]:
            return f"{record['document'][:60]!r} is in both splits"
    for label in dict.fromkeys(label for record in records for label in record["labels"]):
        counts = Counter((record["labels"][label], record["split"]) for record in records if label in record["labels"])
        classes = sorted({value for value, _ in counts})
        if len(classes) < 2:
            return f"label '{label}' has one class, {classes[0]}"
        for value in classes:
            train, test = counts[value, "train"], counts[value, "test"]
            if train + test < MINIMUM_CLASS or not train or not test:
                return f"class '{value}' of label '{label}' has {train} texts to train and {test} to test on"
    return None
