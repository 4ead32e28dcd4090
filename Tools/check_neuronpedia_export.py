"""Checks what `gscope atlas export --to neuronpedia` wrote, and the field tables that it was checked against.

    python Tools/check_neuronpedia_export.py FOLDER [--neuronpedia CLONE]

Every line of FOLDER is validated with jsonschema against Tests/Fixtures/atlas/neuronpedia.schema.json; ids, references
between tables and file names are checked as Neuronpedia's import needs them. With a clone of
github.com/hijohnnylin/neuronpedia the schema itself is compared with that repository's: columns with
schema.prisma, types with the zod schemas, and names with the dataclasses that batch-autointerp.py makes of rows.
Needs requirements-neuronpedia.txt. Exit status 1 when anything differs.
"""

import argparse
import ast
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema

SCHEMA = Path(__file__).parent.parent / "Tests/Fixtures/atlas/neuronpedia.schema.json"
TABLES = ["features", "activations", "explanations"]
BATCH = 1024
PRISMA = "apps/webapp/prisma/schema.prisma"
ZOD = "apps/webapp/prisma/generated/zod/index.ts"
MODELS = "utils/neuronpedia-utils/neuronpedia_utils/db_models"
# Classes that rows of the three tables are read into. Explanation is only written from, and lacks scoreV1.
CLASSES = {"features": ("feature", "Feature"), "activations": ("activation", "Activation")}

faults = []


def fault(text):
    faults.append(text)
    if len(faults) <= 20:
        print("fault:", text)


def rows(path):
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    text = data.decode("utf-8")
    if text and not text.endswith("\n"):
        fault(f"{path} does not end in a newline")
    refuse = lambda name: fault(f"{path} holds {name}")
    return [json.loads(line, parse_constant=refuse) for line in text.split("\n")[:-1]]


class Export:
    def __init__(self, folder, schema):
        self.folder = folder
        self.schema = schema
        self.validators = {
            name: jsonschema.Draft7Validator(definition) for name, definition in schema["definitions"].items()
        }
        self.lines = 0
        self.ids = set()

    def read(self, path, name):
        """The rows of a file, each valid, all with the same keys."""
        found = rows(path)
        for number, row in enumerate(found):
            self.lines += 1
            for error in self.validators[name].iter_errors(row):
                fault(f"{path}:{number + 1}: {'.'.join(map(str, error.path))}: {error.message}")
            if row.keys() != found[0].keys():
                fault(f"{path}:{number + 1} has other keys than the first line")
        return found

    def check(self):
        config = self.folder / "config"
        types = {row["name"] for row in self.read(config / "explanation_type.jsonl", "explanation_type")}
        models = {row["name"] for row in self.read(config / "explanation_model_type.jsonl", "explanation_model_type")}
        for name in ["explanation_score_type", "explanation_score_model", "eval_type"]:
            rows(config / f"{name}.jsonl")
        counts = dict.fromkeys(TABLES, 0)
        sources = [path for path in sorted(self.folder.glob("*/*")) if path.is_dir() and path.parent != config]
        for path in sources:
            for table, count in self.source(path, types, models).items():
                counts[table] += count
        return len(sources), counts

    def source(self, path, types, models):
        one = {}
        for name in ["release", "model", "sourceset", "source"]:
            found = self.read(path / f"{name}.jsonl", name)
            one[name] = found[0]
            if len(found) != 1:
                fault(f"{path / name}.jsonl has {len(found)} lines")
        place = (one["model"]["id"], one["source"]["id"])
        if place != (path.parent.name, path.name):
            fault(f"{path} is described as {place}")
        if not re.fullmatch(r"(e|\d+)-" + re.escape(one["sourceset"]["name"]) + r"(__.*)?", path.name):
            fault(f"{path}: not of set {one['sourceset']['name']}")
        if one["sourceset"]["releaseName"] != one["release"]["name"]:
            fault(f"{path}: sourceset of another release")
        tables = {name: self.table(path / name, name) for name in TABLES}
        known = {row["index"] for _, row in tables["features"]}
        if len(known) != len(tables["features"]):
            fault(f"{path}: features twice")
        for name, lines in tables.items():
            for batch, row in lines:
                if (row["modelId"], row["layer"]) != place or row["index"] not in known:
                    fault(f"{path}/{name}: a row of {row['layer']} {row['index']}")
                if name != "explanations" and int(row["index"]) // BATCH != batch:
                    fault(f"{path}/{name}/batch-{batch}: a row of feature {row['index']}")
                if name != "features":
                    if row["id"] in self.ids:
                        fault(f"{path}/{name}: id {row['id']} twice")
                    self.ids.add(row["id"])
        for _, row in tables["activations"]:
            values, own = row["values"], row["qualifyingTokenIndex"]
            if not len(row["tokens"]) == len(values) >= 1 or not 0 <= own < len(values):
                fault(f"{path}: activation {row['id']}: {len(row['tokens'])} tokens, {len(values)} values")
            elif (row["maxValue"], row["minValue"]) != (max(values), min(values)):
                fault(f"{path}: activation {row['id']}: extremes")
            elif values[row["maxValueTokenIndex"]] != row["maxValue"] or values[own] <= 0:
                fault(f"{path}: activation {row['id']}: places")
            if row["dfaValues"] and len(row["dfaValues"]) != len(values):
                fault(f"{path}: activation {row['id']}: {len(row['dfaValues'])} sources")
        for _, row in tables["features"]:
            for prefix, ends in [
                ("topkCosSim", ["Indices", "Values"]), ("neuron_alignment", ["_indices", "_values", "_l1"]),
                ("correlated_features", ["_indices", "_pearson", "_l1"]), ("pos", ["_str", "_values"]),
                ("neg", ["_str", "_values"]), ("freq_hist_data_bar", ["_heights", "_values"]),
                ("logits_hist_data_bar", ["_heights", "_values"]),
            ]:
                if len({len(row[prefix + end]) for end in ends}) != 1:
                    fault(f"{path}: feature {row['index']}: {prefix} of several lengths")
            if any(abs(value) > 1 for value in row["correlated_features_pearson"] + row["correlated_features_l1"]):
                fault(f"{path}: feature {row['index']}: a correlation beyond 1")
        for _, row in tables["explanations"]:
            if row["typeName"] not in types | {None} or row["explanationModelName"] not in models | {None}:
                fault(f"{path}: explanation {row['id']} refers to what is not in config")
        return {name: len(lines) for name, lines in tables.items()}

    def table(self, folder, name):
        files = {}
        for path in folder.iterdir():
            match = re.fullmatch(r"batch-(\d+)\.jsonl\.gz", path.name)
            if match:
                files[int(match[1])] = path
            else:
                fault(f"{path} is no batch")
        if len(files) > 1000:
            fault(f"{folder} has more files than one listing")
        lines = []
        for batch, path in sorted(files.items()):
            found = self.read(path, name)
            if not found or name != "activations" and len(found) > BATCH:
                fault(f"{path} has {len(found)} lines")
            lines += [(batch, row) for row in found]
        return lines


def prisma_models(text):
    """Of each model its columns: (type, is a list, may be null, has a default)."""
    names = set(re.findall(r"^model (\w+) \{", text, re.M))
    models = {}
    for name, body in re.findall(r"^model (\w+) \{\n(.*?)^\}", text, re.M | re.S):
        columns = {}
        for line in body.splitlines():
            match = re.match(r"\s+(\w+)\s+(Unsupported\(\"[^\"]*\"\)|\w+)(\[\])?(\?)?(.*)", line)
            if not match or match[2] in names:
                continue
            columns[match[1]] = (match[2], bool(match[3]), bool(match[4]), "@default" in match[5])
        models[name] = columns
    return models


def zod_schema(text, model):
    body = re.search(rf"^export const {model}Schema = z\.object\(\{{\n(.*?)^\}}\)", text, re.M | re.S)
    return dict(re.findall(r"^  (\w+): (.*),$", body[1], re.M))


def dataclass_fields(path, name):
    """Names of a dataclass, and those without a default."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
            return {item.target.id for item in fields}, {item.target.id for item in fields if item.value is None}
    raise SystemExit(f"{path} has no class {name}")


PRISMA_TYPES = {"String": "string", "Float": "number", "Int": "integer", "Boolean": "boolean", "DateTime": "string",
                "Visibility": "string"}
ZOD_TYPES = [("z.coerce.date", "string"), ("VisibilitySchema", "string"), ("z.string", "string"),
             ("z.number().int()", "integer"), ("z.number", "number"), ("z.boolean", "boolean")]


def compare(schema, clone):
    """Columns compared of each model."""
    prisma = prisma_models((clone / PRISMA).read_text())
    zod = (clone / ZOD).read_text()
    counts = {}
    for name, definition in schema["definitions"].items():
        model = definition["x-prisma-model"]
        ours, left_out, columns = definition["properties"], set(definition["x-left-out"]), prisma[model]
        for column in set(columns) ^ (set(ours) | left_out):
            fault(f"{model}.{column} is in {'schema.prisma' if column in columns else 'our table'} alone")
        checks = zod_schema(zod, model)
        for column, (kind, is_list, is_nullable, has_default) in columns.items():
            if column in left_out:
                # Lists without a default are empty, `updatedAt` is made.
                if not (is_nullable or has_default or is_list):
                    fault(f"{model}.{column} is left out but has no default")
                continue
            if column not in ours:
                continue
            own = ours[column]
            element = own["items"] if own["type"] == "array" else own
            types = [element["type"]] if isinstance(element["type"], str) else element["type"]
            if (own["type"] == "array") != is_list or types[0] != PRISMA_TYPES[kind]:
                fault(f"{model}.{column} is {kind}{'[]' * is_list}, our table has {own}")
            if "null" in types and not is_nullable:
                fault(f"{model}.{column} may be null in our table alone")
            check = checks.get(column, "missing")
            expected = next((type for start, type in ZOD_TYPES if check.startswith(start)), None)
            if expected != types[0] or ("array()" in check) != is_list or ("nullable()" in check) != is_nullable:
                fault(f"{model}.{column} is {check} in zod, our table has {own}")
        counts[model] = (len(ours), len(left_out))
    for name, (file, cls) in CLASSES.items():
        known, needed = dataclass_fields(clone / MODELS / f"{file}.py", cls)
        ours = set(schema["definitions"][name]["properties"])
        for column in (ours - known) | (needed - ours):
            fault(f"{cls}.{column} is in {'our table' if column in ours else 'the dataclass'} alone")
    known, needed = dataclass_fields(clone / MODELS / "explanation.py", "Explanation")
    ours = set(schema["definitions"]["explanations"]["properties"])
    if ours - known != {"scoreV1"} or needed - ours:
        fault(f"Explanation: {sorted(ours - known)} in our table alone, {sorted(needed - ours)} in the dataclass alone")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--neuronpedia", type=Path, help="a clone of github.com/hijohnnylin/neuronpedia")
    arguments = parser.parse_args()
    schema = json.loads(SCHEMA.read_text())
    export = Export(arguments.folder, schema)
    sources, counts = export.check()
    print(f"{sources} sources, {export.lines} lines valid:" if not faults else f"{sources} sources:",
          ", ".join(f"{count} {name}" for name, count in counts.items()))
    if arguments.neuronpedia:
        commit = subprocess.run(["git", "-C", arguments.neuronpedia, "rev-parse", "HEAD"], capture_output=True, text=True)
        for model, (ours, left_out) in compare(schema, arguments.neuronpedia).items():
            print(f"{model}: {ours} columns written, {left_out} left out")
        print("compared with commit", commit.stdout.strip() or "unknown")
    print(f"{len(faults)} faults" if faults else "no faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
