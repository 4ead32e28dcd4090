"""Measures what other software reaches on this machine with the same threads, as JSON.

    python Tools/bench_peers.py --gguf model.gguf --hf folder-fp32 [--threads N] [--only NAME,…] [--output peers.json]

Each benchmark runs in a process of its own, so that its peak memory is its own; one warm-up, then the median of
`--repeats` runs (5 unless told). Output:
  {"schema": 1, "machine": {…}, "threads": N, "results": [{"name", "peer", "unit", "median", "runs", "peak_rss_mb"}]}
A benchmark whose library, file or package is missing is listed with "error" instead of figures.
"""

import argparse
import ctypes
import ctypes.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

PREFILL, CONTEXT, DECODE = 1024, 256, 64
HARVEST_BATCH, HARVEST_LENGTH, HARVEST_LAYER = 8, 256, 9
SAE_TOKENS, SAE_WIDTH, SAE_L0, MODEL_WIDTH, TRAIN_BATCH = 2048, 16384, 60, 640, 4096
GEMMS = [(2048, 2048, 2048), (1024, 640, 2048), (4096, 640, 16384)]  # rows, inner, columns
BENCHMARKS = {}


def benchmark(function):
    BENCHMARKS[function.__name__] = function
    return function


def repeated(work, options, amount: float = 1.0, rate: bool = True) -> list[float]:
    """`amount` per second (or seconds, when rate is false) of each run after one warm-up."""
    work()
    runs = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        runs.append(amount / seconds if rate else seconds)
    return runs


def result(name: str, peer: str, unit: str, runs: list[float]) -> dict:
    return {"name": name, "peer": peer, "unit": unit, "median": statistics.median(runs), "runs": runs}


# transformers


PROMPT = "The capital of France is"


def load_transformers(options):
    import torch
    from transformers import AutoTokenizer, Gemma3ForCausalLM

    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    need(options.hf, "--hf")
    model = Gemma3ForCausalLM.from_pretrained(options.hf, dtype=torch.float32).eval()
    return torch, model, lambda: AutoTokenizer.from_pretrained(options.hf)


def sequence(torch, *shape: int):
    """Ordinary token ids, <bos> first in every row."""
    ids = torch.randint(300, 200_000, shape, generator=torch.Generator().manual_seed(1))
    ids[:, 0] = 2
    return ids


@benchmark
def transformers_load(options):
    """Ends with the token after the prompt, because weights are mapped lazily; imports are in the warm-up."""

    def first_token(tokenizer_too: bool):
        torch, model, tokenizer = load_transformers(options)
        ids = tokenizer()(PROMPT)["input_ids"] if tokenizer_too else [2] * 6
        model(torch.tensor([ids]), logits_to_keep=1, use_cache=True)

    for label, tokenizer_too in [("load, first token", False), ("load with tokenizer, first token", True)]:
        work = lambda: first_token(tokenizer_too)
        yield result(label, "transformers fp32", "s", repeated(work, options, rate=False))


@benchmark
def transformers_prefill(options):
    torch, model, _ = load_transformers(options)
    ids = sequence(torch, 1, PREFILL)
    work = lambda: model(ids, logits_to_keep=1, use_cache=True)
    yield result("prefill 1024", "transformers fp32", "tok/s", repeated(work, options, PREFILL))


@benchmark
def transformers_decode(options):
    torch, model, _ = load_transformers(options)
    prompt, runs = sequence(torch, 1, CONTEXT), []
    for _ in range(options.repeats + 1):
        output = model(prompt, logits_to_keep=1, use_cache=True)
        start = time.perf_counter()
        for _ in range(DECODE):
            step = output.logits[:, -1:].argmax(-1)
            output = model(step, past_key_values=output.past_key_values, use_cache=True)
        runs.append(DECODE / (time.perf_counter() - start))
    yield result("decode 64 after 256", "transformers fp32", "tok/s", runs[1:])


class Enough(Exception):
    """Raised by a hook once the wanted layer is done."""


@benchmark
def transformers_harvest(options):
    torch, model, _ = load_transformers(options)
    ids, kept = sequence(torch, HARVEST_BATCH, HARVEST_LENGTH), {}

    def hook(module, arguments, output):
        kept["resid_post"] = output[0] if isinstance(output, tuple) else output
        raise Enough

    def stopped():
        try:
            model.model(ids, use_cache=False)
        except Enough:
            pass

    handle = model.model.layers[HARVEST_LAYER].register_forward_hook(hook)
    tokens = HARVEST_BATCH * HARVEST_LENGTH
    runs = repeated(stopped, options, tokens)
    yield result(f"harvest resid_post.{HARVEST_LAYER}", "transformers fp32", "tok/s", runs)
    handle.remove()
    work = lambda: model.model(ids, use_cache=False, output_hidden_states=True)
    yield result("harvest all layers", "transformers fp32", "tok/s", repeated(work, options, tokens))


# llama.cpp


def load_llama(options):
    from llama_cpp import Llama

    need(options.gguf, "--gguf")
    return Llama(
        str(options.gguf), n_ctx=2048, n_batch=PREFILL, n_threads=options.threads, n_threads_batch=options.threads,
        verbose=False,
    )  # fmt: skip


@benchmark
def llama_load(options):
    """With its tokenizer, as the format has it; ends with the token after the prompt."""

    def first_token():
        model = load_llama(options)
        model.eval(model.tokenize(PROMPT.encode()))

    runs = repeated(first_token, options, rate=False)
    yield result("load with tokenizer, first token", "llama.cpp", "s", runs)


def llama_tokens(count: int) -> list[int]:
    return [2] + [300 + (i * 7919) % 199_700 for i in range(count - 1)]


@benchmark
def llama_prefill(options):
    model, tokens = load_llama(options), llama_tokens(PREFILL)

    def work():
        model.reset()
        model.eval(tokens)

    yield result("prefill 1024", "llama.cpp", "tok/s", repeated(work, options, PREFILL))


@benchmark
def llama_decode(options):
    """Greedy: the arg-max over the vocabulary counts, as it does for the others."""
    import numpy as np

    model, runs = load_llama(options), []
    vocabulary = model.n_vocab()
    for _ in range(options.repeats + 1):
        model.reset()
        model.eval(llama_tokens(CONTEXT))
        start = time.perf_counter()
        for _ in range(DECODE):
            logits = np.ctypeslib.as_array(model._ctx.get_logits(), shape=(vocabulary,))
            model.eval([int(logits.argmax())])
        runs.append(DECODE / (time.perf_counter() - start))
    yield result("decode 64 after 256", "llama.cpp", "tok/s", runs[1:])


# Dictionaries, arithmetic, memory, text


@benchmark
def torch_dictionary(options):
    """Dense JumpReLU: both products over the whole width; thresholds chosen so that about 60 features fire."""
    import torch

    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(2)
    x = torch.randn(SAE_TOKENS, MODEL_WIDTH)
    w_enc = torch.randn(MODEL_WIDTH, SAE_WIDTH) * MODEL_WIDTH**-0.5
    w_dec = torch.randn(SAE_WIDTH, MODEL_WIDTH) * MODEL_WIDTH**-0.5
    b_enc, b_dec = torch.zeros(SAE_WIDTH), torch.zeros(MODEL_WIDTH)
    sample = torch.addmm(b_enc, x[:64], w_enc)
    cut = sample.flatten().kthvalue(int(sample.numel() * (1 - SAE_L0 / SAE_WIDTH))).values
    threshold = torch.full((SAE_WIDTH,), cut.item())

    def encode():
        pre = torch.addmm(b_enc, x, w_enc)
        return torch.where(pre > threshold, pre.relu(), 0.0)

    def both():
        return torch.addmm(b_dec, encode(), w_dec)

    yield result("encode 16k", "PyTorch dense", "tok/s", repeated(encode, options, SAE_TOKENS))
    yield result("encode + decode 16k", "PyTorch dense", "tok/s", repeated(both, options, SAE_TOKENS))


@benchmark
def torch_train(options):
    """A training step of a dense SAE under autograd: JumpReLU with straight-through thresholds, and BatchTopK. Unit-norm
    decoder with the parallel gradient projected out, as gscope-bench train."""
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(4)
    d, width, epsilon = MODEL_WIDTH, SAE_WIDTH, 0.001
    x = (torch.rand(TRAIN_BATCH, d) * 2 - 1) * (3 / d) ** 0.5
    w_dec = torch.nn.Parameter(torch.nn.functional.normalize(torch.randn(width, d), dim=1))
    w_enc = torch.nn.Parameter(w_dec.detach().T.contiguous())
    b_enc, b_dec = torch.nn.Parameter(torch.zeros(width)), torch.nn.Parameter(torch.zeros(d))
    with torch.no_grad():
        sample = (x[:256] @ w_enc).flatten()
        cut = sample.kthvalue(int(sample.numel() * (1 - SAE_L0 / width))).values.item()
    log_threshold = torch.nn.Parameter(torch.full((width,), cut).log())
    parameters = [w_enc, w_dec, b_enc, b_dec, log_threshold]
    # A rate of 0 keeps L0 where it is; the arithmetic is that of any step.
    adam = torch.optim.Adam(parameters, lr=0.0, betas=(0.0, 0.999), eps=1e-8)

    class Gate(torch.autograd.Function):
        """z and 1 where z > θ; gradients reach θ through a rectangle of width ε."""

        @staticmethod
        def forward(context, z, threshold):
            active = z > threshold
            context.save_for_backward(z, threshold, active)
            return z * active, active.to(z.dtype)

        @staticmethod
        def backward(context, by_value, by_gate):
            z, threshold, active = context.saved_tensors
            window = (z - threshold).abs() < epsilon / 2
            slope = -(window * (threshold * by_value + by_gate)).sum(0) / epsilon
            return by_value * active, slope

    def step(activate):
        adam.zero_grad()
        z = torch.relu(torch.addmm(b_enc, x - b_dec, w_enc))
        loss = activate(z)
        loss.backward()
        with torch.no_grad():
            if w_dec.grad is not None:
                w_dec.grad -= (w_dec.grad * w_dec).sum(1, keepdim=True) * w_dec
        adam.step()
        with torch.no_grad():
            w_dec.div_(w_dec.norm(dim=1, keepdim=True))
        return loss.item()

    def jump_relu(z):
        active, gate = Gate.apply(z, log_threshold.exp())
        error = torch.addmm(b_dec, active, w_dec) - x
        sparsity = (2 / SAE_L0 * (gate.sum(1) - SAE_L0).square()).mean()
        return error.square().sum(1).mean() + 0.001 * sparsity

    def batch_top_k(z):
        best = z.flatten().topk(SAE_L0 * len(x), sorted=False)
        active = torch.zeros_like(z).flatten().scatter(0, best.indices, best.values).view_as(z)
        return (torch.addmm(b_dec, active, w_dec) - x).square().sum(1).mean()

    yield result("train step JumpReLU 16k", "PyTorch dense", "s", repeated(lambda: step(jump_relu), options, rate=False))
    yield result("train step BatchTopK 16k", "PyTorch dense", "s",
                 repeated(lambda: step(batch_top_k), options, rate=False))


def trainer_steps(tool: str, name: str, options):
    """Steps of another tool's own trainer on the same noise, for both objectives; the first step is the warm-up."""
    import torch
    from training_peers import TRAINERS, Settings

    torch.set_num_threads(options.threads)
    torch.manual_seed(4)
    x = (torch.rand(TRAIN_BATCH, MODEL_WIDTH) * 2 - 1) * (3 / MODEL_WIDTH) ** 0.5
    for objective, label in [("jumprelu", "JumpReLU"), ("batchtopk", "BatchTopK")]:
        settings = Settings(objective, SAE_WIDTH, TRAIN_BATCH, options.repeats + 1, 1e-6, 1, SAE_L0, MODEL_WIDTH,
                            coefficient=0.001, bandwidth=0.001)  # fmt: skip
        trainer = TRAINERS[tool](settings)
        moments = []

        def batches():
            while True:
                moments.append(time.perf_counter())
                yield x

        trainer.fit(batches(), 0)
        moments = moments[: settings.steps] + [time.perf_counter()]
        seconds = [after - before for before, after in zip(moments[1:], moments[2:])]
        yield result(f"train step {label} 16k", name, "s", seconds)
        del trainer


@benchmark
def saelens_train(options):
    yield from trainer_steps("saelens", "SAELens", options)


@benchmark
def dictionary_learning_train(options):
    yield from trainer_steps("dictionary_learning", "dictionary_learning", options)


def random_matrices(rows: int, inner: int, columns: int):
    import numpy as np

    rng = np.random.default_rng(3)
    matrix = lambda *shape: rng.standard_normal(shape, dtype=np.float32)
    return matrix(rows, inner), matrix(inner, columns), np.empty((rows, columns), dtype=np.float32)


@benchmark
def openblas(options):
    """cblas_sgemm of the system's libopenblas (Debian: libopenblas0-pthread), row-major, no transposes."""
    path = options.openblas or ctypes.util.find_library("openblas")
    if not path:
        raise RuntimeError("libopenblas not found: install libopenblas0-pthread or pass --openblas")
    library = ctypes.CDLL(str(path))
    library.openblas_set_num_threads(options.threads)
    library.openblas_get_config.restype = ctypes.c_char_p
    version = " ".join(library.openblas_get_config().decode().split()[:2])
    integer, real, pointer = ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    library.cblas_sgemm.argtypes = (
        [integer] * 6 + [real, pointer, integer, pointer, integer, real, pointer, integer]
    )  # fmt: skip
    library.cblas_sgemm.restype = None
    for rows, inner, columns in GEMMS:
        a, b, c = random_matrices(rows, inner, columns)
        work = lambda: library.cblas_sgemm(
            101, 111, 111, rows, columns, inner, 1.0, a.ctypes.data, inner, b.ctypes.data, columns, 0.0,
            c.ctypes.data, columns,
        )  # fmt: skip
        operations = 2e-9 * rows * inner * columns
        yield result(f"sgemm {rows}x{inner}x{columns}", version, "GF/s", repeated(work, options, operations))


@benchmark
def torch_gemm(options):
    import torch

    torch.set_num_threads(options.threads)
    for rows, inner, columns in GEMMS:
        a, b, c = map(torch.from_numpy, random_matrices(rows, inner, columns))
        operations = 2e-9 * rows * inner * columns
        runs = repeated(lambda: torch.mm(a, b, out=c), options, operations)
        yield result(f"sgemm {rows}x{inner}x{columns}", "PyTorch", "GF/s", runs)


@benchmark
def memory_bandwidth(options):
    """Reads 1 GiB of fp32 once; the better of a sum and a matrix–vector product."""
    import torch

    torch.set_num_threads(options.threads)
    x, v = torch.ones(16384, 16384), torch.ones(16384)
    gigabytes = x.numel() * 4 / 1e9
    runs = [repeated(work, options, gigabytes) for work in (x.sum, lambda: torch.mv(x, v))]
    yield result("memory read", "PyTorch", "GB/s", max(runs, key=statistics.median))


@benchmark
def tokenizers(options):
    """Speech by speech on one thread, then all in one batch on every thread."""
    from tokenizers import Tokenizer

    from corpus import speeches

    need(options.hf, "--hf")
    tokenizer = Tokenizer.from_file(str(options.hf / "tokenizer.json"))
    texts = speeches(options.cache)[-40:]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    one = lambda: [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    batch = lambda: tokenizer.encode_batch(texts, add_special_tokens=False)
    yield result("tokenise, 1 thread", "tokenizers", "MB/s", repeated(one, options, megabytes))
    yield result("tokenise, batch", "tokenizers", "MB/s", repeated(batch, options, megabytes))


# Running


def need(path: Path | None, flag: str) -> None:
    if path is None or not path.exists():
        raise RuntimeError(f"{flag} is missing: {path}")


def machine() -> dict:
    def field(path: str, key: str) -> str | None:
        lines = Path(path).read_text().splitlines() if Path(path).exists() else []
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), None)

    flags = (field("/proc/cpuinfo", "flags") or "").split()
    return {
        "cpu": field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "vector": [flag for flag in ("avx2", "fma", "avx512f", "avx512_bf16", "asimd") if flag in flags],
        "memory": field("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
    }


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_here(name: str, options) -> None:
    """One benchmark in this process; a JSON line per result."""
    for entry in BENCHMARKS[name](options):
        print(json.dumps(entry | {"peak_rss_mb": round(peak_mb(), 1)}), flush=True)


def run_apart(name: str, options) -> list[dict]:
    threads = str(options.threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, threads) | {"TOKENIZERS_PARALLELISM": "true"}
    command = [sys.executable, __file__, *sys.argv[1:], "--here", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    entries = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["failed"])[-1]
        entries.append({"name": name, "error": reason})
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, help="the model for llama.cpp")
    parser.add_argument("--hf", type=Path, help="the fp32 folder that export_hf.py makes")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", help="benchmarks to run, by name: " + ", ".join(BENCHMARKS))
    parser.add_argument("--openblas", type=Path, help="path of libopenblas")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder for the downloaded text")
    parser.add_argument("--output", type=Path, help="where to write the JSON, else standard output")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        return run_here(options.here, options)

    chosen = options.only.split(",") if options.only else list(BENCHMARKS)
    if unknown := [name for name in chosen if name not in BENCHMARKS]:
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    results = []
    for name in chosen:
        for entry in run_apart(name, options):
            results.append(entry)
            figure = entry.get("error") or f"{entry['median']:.4g} {entry['unit']}, peak {entry['peak_rss_mb']:.0f} MB"
            print(f"{entry.get('peer', '')} {entry['name']}: {figure}", file=sys.stderr, flush=True)
    report = {"schema": 1, "machine": machine(), "threads": options.threads, "results": results}
    text = json.dumps(report, indent=1) + "\n"
    options.output.write_text(text) if options.output else print(text, end="")


if __name__ == "__main__":
    main()
