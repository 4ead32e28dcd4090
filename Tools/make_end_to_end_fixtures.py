"""Makes Tests/Fixtures/training/end-to-end: dictionaries inside a tiny Gemma 3, with the gradient of the end-to-end loss.

    python Tools/make_end_to_end_fixtures.py

The loss (MSE + α·β·KL(p ‖ p̂)) / (1 + β), α = MSE / (KL + 1e-8) held constant, of two sequences through the model of
Tests/Fixtures/gemma/causal in fp64 PyTorch; <bos> is left as it is. One safetensors file a case: a state as
TrainingState saves it, the sequences (tokens.N), loss, MSE and KL (loss), and the gradients of all parameters (grad.*).
"""

import fixture_files
import torch
from gemma_twin import Shape
from gemma_twin import Twin as Model
from make_training_fixtures import DEFAULTS, FOLDER, VERSION
from make_training_fixtures import Twin as Dictionary
from safetensors.torch import load_file
from transformers import Gemma3TextConfig

CAUSAL = FOLDER.parent / "gemma" / "causal"
BASE = DEFAULTS | dict(width=61, inputs=32, outputs=32, prefixes="61:1", bandwidth=0.1, beta=1.0)
CASES = {
    "sae-jumprelu": dict(
        kind="sae", activation="jumpReLU", read="resid_post.3", write="resid_post.3", prefixes="17:0.5,61:1"),
    "sae-attn-batchtopk": dict(
        kind="sae", activation="batchTopK", k=9, read="attn_out.4", write="attn_out.4", inputs=64, outputs=64, beta=0.5),
    "sae-mlp-in-topk": dict(kind="sae", activation="topK", k=7, read="mlp_in.5", write="mlp_in.5", beta=4.0),
    "transcoder-affine-jumprelu": dict(
        kind="transcoder", activation="jumpReLU", affine=1, read="mlp_in.2", write="mlp_out.2", beta=2.0),
}
LENGTHS = (19, 12)


class EndToEnd(Dictionary):
    """The dictionary's own twin, with the model's loss blended in."""

    def attach(self, model, sequences):
        self.model, self.sequences = model, sequences
        with torch.no_grad():
            self.clean = [model.forward(tokens) for tokens in sequences]

    def rows(self, site):
        return torch.cat([sites[site][1:] for _, sites in self.clean]).float().double()

    def blend(self, mse, reconstruction):
        kl, start = 0.0, 0
        values = reconstruction * self.out_scales[0]
        for tokens, (clean, _) in zip(self.sequences, self.clean):
            part = values[start : start + len(tokens) - 1]
            edit = lambda x: torch.cat([x[:1], part])
            changed, _ = self.model.forward(tokens, edits={self.c["write"]: edit})
            p, q = clean[1:].log_softmax(-1), changed[1:].log_softmax(-1)
            kl = kl + (p.exp() * (p - q)).sum()
            start += len(tokens) - 1
        kl = kl / start
        alpha, beta = (mse / (kl + 1e-8)).detach(), self.c["beta"]
        self.mse, self.kl = mse.item(), kl.item()
        return (mse + alpha * beta * kl) / (1 + beta)


def make(name, c, model, config):
    for seed in range(100):
        torch.manual_seed(seed + 7000)
        twin = EndToEnd(c)
        draw = lambda length: torch.randint(4, config.vocab_size, (length - 1,))
        twin.attach(model, [torch.cat([torch.tensor([2]), draw(length)]) for length in LENGTHS])
        xs, ys = [twin.rows(c["read"])], [twin.rows(c["write"])]
        length = lambda rows: rows.square().sum(1).mean().sqrt().float().item()
        twin.in_scales, twin.out_scales = [length(xs[0])], [length(ys[0])]
        loss, _ = twin.loss(xs, ys)
        if twin.margin > 2e-5:
            break
    loss.backward()
    tensors = {}
    for key, value in twin.p.items():
        tensors[f"{key}.value"] = value.detach()
        tensors[f"{key}.second"] = torch.zeros_like(value)
        tensors[f"grad.{key}"] = torch.zeros_like(value) if value.grad is None else value.grad
    tensors["thresholds"] = torch.tensor([0.0, -1.0])
    tensors["loss"] = torch.tensor([loss.item(), twin.mse, twin.kl])
    tensors = {key: value.float().contiguous() for key, value in tensors.items()}
    tensors["counters"] = torch.tensor([0, 0])
    tensors["source.0.last_fired"] = torch.zeros(c["width"], dtype=torch.int64)
    tensors["source.0.last_step"] = torch.zeros(c["width"], dtype=torch.int32)
    for index, tokens in enumerate(twin.sequences):
        tensors[f"tokens.{index}"] = tokens.int()
    settings = {key: str(value) for key, value in c.items()} | {"version": str(VERSION)}
    settings["in_scales"] = repr(twin.in_scales[0])
    settings["out_scales"] = repr(twin.out_scales[0])
    fixture_files.save(tensors, FOLDER / "end-to-end" / f"{name}.safetensors", settings)
    print(name, f"seed {seed}, margin {twin.margin:.1e}, loss {tensors['loss'].tolist()}")


config = Gemma3TextConfig.from_pretrained(CAUSAL)
weights = load_file(CAUSAL / "model.safetensors")
for name, case in CASES.items():
    make(name, BASE | case, Model(Shape.of(config), weights, torch.float64), config)
