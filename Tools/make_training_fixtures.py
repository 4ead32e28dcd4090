"""Makes Tests/Fixtures/training: a dense twin of the training step in fp64 PyTorch.

    python Tools/make_training_fixtures.py

One safetensors file a case. It holds a state as TrainingState saves it, three batches, and what the twin finds: loss and
gradients of the first batch (grad.*) and the parameters after three steps (after.*). Entries whose gradient is noise at
some step (below 1e-6 of the largest, yet not 0) are marked 0 in mask.*. Settings stand in the file's metadata.
"""

from pathlib import Path

import fixture_files
import torch

FOLDER = Path(__file__).resolve().parent.parent / "Tests" / "Fixtures" / "training"
VERSION, STEPS, TOKENS = 1, 3, 37
torch.set_default_dtype(torch.float64)

CASES = {
    "sae-jumprelu": dict(kind="sae", activation="jumpReLU", prefixes="7:0.5,16:0.25,29:1", frequency=0.02),
    "sae-batchtopk-aux": dict(kind="sae", activation="batchTopK", k=4, aux_k=3, aux_coefficient=0.3),
    "sae-topk-momentum": dict(kind="sae", activation="topK", k=5, prefixes="9:1,29:1", beta1=0.9),
    "transcoder-affine-jumprelu": dict(kind="transcoder", activation="jumpReLU", outputs=7, affine=1, frequency=0.01),
    "transcoder-topk-aux": dict(kind="transcoder", activation="topK", outputs=14, k=3, aux_k=2, aux_coefficient=1.0),
    "crosscoder-jumprelu": dict(kind="crosscoder", activation="jumpReLU", sources=3, prefixes="11:1,29:0.5"),
    "crosscoder-jumprelu-aux": dict(
        kind="crosscoder", activation="jumpReLU", sources=2, aux_k=4, aux_coefficient=0.5, frequency=0.05, beta1=0.5),
    "clt-affine-batchtopk": dict(kind="clt", activation="batchTopK", sources=3, outputs=8, affine=1, k=6),
}
DEFAULTS = dict(
    sources=1, width=29, inputs=10, outputs=10, affine=0, prefixes="29:1", frequency=0.0, frequency_scale=0.1,
    sparsity=0.003, target_l0=3.0, bandwidth=0.15, k=1, aux_k=0, aux_coefficient=0.0, dead_after=500, rate=0.01,
    threshold_rate=0.5, beta1=0.0, beta2=0.999, epsilon=1e-8)


class JumpReLU(torch.autograd.Function):
    """z where z > θ; straight-through to θ alone with a rectangle of width ε (arXiv 2407.14435)."""

    @staticmethod
    def forward(context, z, threshold, bandwidth):
        context.save_for_backward(z, threshold)
        context.bandwidth = bandwidth
        return z * (z > threshold)

    @staticmethod
    def backward(context, gradient):
        z, threshold = context.saved_tensors
        window = ((z - threshold).abs() < context.bandwidth / 2) & (z > 0)
        return gradient * (z > threshold), (-threshold / context.bandwidth * window * gradient).sum(0), None


class Step(torch.autograd.Function):
    """1 where z > θ, with the same estimate."""

    @staticmethod
    def forward(context, z, threshold, bandwidth):
        context.save_for_backward(z, threshold)
        context.bandwidth = bandwidth
        return (z > threshold).to(z.dtype)

    @staticmethod
    def backward(context, gradient):
        z, threshold = context.saved_tensors
        window = ((z - threshold).abs() < context.bandwidth / 2) & (z > 0)
        return None, (-1 / context.bandwidth * window * gradient).sum(0), None


def stored(*shape, scale=1.0):
    """Random numbers that fp32 holds exactly."""
    return (torch.randn(*shape) * scale).float().double()


class Twin:
    def __init__(self, c):
        self.c = c
        sources, width, inputs, outputs = c["sources"], c["width"], c["inputs"], c["outputs"]
        self.multi = c["kind"] in ("crosscoder", "clt")
        self.writes = sources if self.multi else 1
        self.p = {}
        for s in range(sources):
            columns = (self.writes - s if self.multi else 1) * outputs
            decoder = torch.randn(width, columns)
            decoder = (decoder / decoder.norm(dim=1, keepdim=True)).float().double()
            self.p[f"source.{s}.encoder"] = stored(width, inputs, scale=inputs**-0.5)
            self.p[f"source.{s}.encoder_bias"] = stored(width, scale=0.1)
            self.p[f"source.{s}.log_threshold"] = (torch.rand(width) * 1.2 - 1.8).float().double()
            self.p[f"source.{s}.decoder"] = decoder
            if c["affine"]:
                self.p[f"skip.{s}"] = stored(inputs, outputs, scale=0.2)
        self.p["decoder_bias"] = stored(self.writes * outputs, scale=0.1)
        for value in self.p.values():
            value.requires_grad_()
        self.in_scales = [1.5 + 0.25 * s for s in range(sources)]
        self.out_scales = self.in_scales if c["kind"] == "sae" else [0.75 + 0.5 * w for w in range(self.writes)]
        self.tokens, self.steps, self.running = 1000, 0, 0.0
        self.last_fired = [torch.where(torch.rand(width) < 0.4, 0, 1000) for _ in range(sources)]
        self.prefixes = [(int(a), float(b)) for a, b in (x.split(":") for x in c["prefixes"].split(","))]

    def loss(self, xs, ys):
        c, p = self.c, self.p
        bias, outputs, width = p["decoder_bias"], c["outputs"], c["width"]
        y = torch.cat([t / s for t, s in zip(ys, self.out_scales)], 1)
        xs = [x / s for x, s in zip(xs, self.in_scales)]
        if c["kind"] == "sae":
            xs = [xs[0] - bias]
        z = [torch.relu(x @ p[f"source.{s}.encoder"].T + p[f"source.{s}.encoder_bias"]) for s, x in enumerate(xs)]
        flat = torch.cat(z, 1)
        self.margin = 1.0
        if c["activation"] == "jumpReLU":
            thetas = [p[f"source.{s}.log_threshold"].exp() for s in range(len(z))]
            active = [JumpReLU.apply(v, t, c["bandwidth"]) for v, t in zip(z, thetas)]
            gate = [Step.apply(v, t, c["bandwidth"]) for v, t in zip(z, thetas)]
            for v, t in zip(z, thetas):
                for offset in (0, c["bandwidth"] / 2, -c["bandwidth"] / 2):
                    self.margin = min(self.margin, (v - t - offset).abs().min().item())
        else:
            if c["activation"] == "topK":
                cut = flat.topk(c["k"], dim=1).values[:, -1:].clamp_min(1e-300)
                self.smallest = cut.mean().item()
            else:
                cut = flat.flatten().topk(c["k"] * len(y)).values[-1].clamp_min(1e-300)
                self.smallest = cut.item()
            keep = (flat >= cut).to(flat.dtype).detach()
            active = [v * k for v, k in zip(z, keep.split(width, 1))]
            gate = list(keep.split(width, 1))

        def decode(codes, first, last):
            out = torch.zeros_like(y)
            for s, code in enumerate(codes):
                start = s * outputs if self.multi else 0
                part = code[:, first:last] @ p[f"source.{s}.decoder"][first:last]
                out = out + torch.nn.functional.pad(part, (start, 0))
            return out

        base = bias.expand_as(y)
        if c["affine"]:
            base = base + torch.cat([x @ p[f"skip.{s}"] for s, x in enumerate(xs)], 1)
        loss, parts = 0.0, {}
        for size, weight in self.prefixes:
            errors = base + decode(active, 0, size) - y
            loss = loss + weight * errors.square().sum(1).mean()
        loss = self.blend(loss, errors + y)
        parts["reconstruction"] = errors.square().sum(1).mean()
        parts["fvu"] = errors.square().sum() / (y - y.mean(0)).square().sum()
        l0 = sum(g.sum(1) for g in gate)
        parts["l0"] = l0.mean()
        if c["activation"] == "jumpReLU":
            share = torch.cat([g.mean(0) for g in gate])
            loss = loss + c["sparsity"] * (2 / c["target_l0"] * (l0 - c["target_l0"]).square()).mean()
            loss = loss + c["frequency"] * (share * (1 + share / c["frequency_scale"])).sum()
        if c["aux_k"]:
            dead = torch.cat([self.tokens - f >= c["dead_after"] for f in self.last_fired])
            candidates = torch.where(dead, flat, 0.0)
            cut = candidates.topk(c["aux_k"], dim=1).values[:, -1:].clamp_min(1e-300)
            keep = (candidates >= cut).to(flat.dtype).detach()
            aux = decode(list((candidates * keep).split(width, 1)), 0, width)
            loss = loss + c["aux_coefficient"] * (aux + errors.detach()).square().sum(1).mean()
        self.fired = [g.detach().any(0) for g in gate]
        return loss, parts

    def blend(self, mse, reconstruction):
        """Where end-to-end training puts in the model's own loss."""
        return mse

    def project(self):
        for name, value in self.p.items():
            if name.endswith(".decoder"):
                value.grad -= (value.grad * value).sum(1, keepdim=True) * value.detach()


def make(name, c):
    for seed in range(100):
        torch.manual_seed(seed + 1000 * list(CASES).index(name))
        twin = Twin(c)
        batches = []
        for _ in range(STEPS):
            xs = [stored(TOKENS, c["inputs"], scale=0.5 * s) for s in twin.in_scales]
            ys = xs if c["kind"] in ("sae", "crosscoder") else [
                stored(TOKENS, c["outputs"], scale=0.5) for _ in range(twin.writes)]
            batches.append((xs, ys))
        out = {}
        for key, value in twin.p.items():
            out[f"{key}.value"] = value.detach().clone()
            out[f"{key}.second"] = torch.zeros_like(out[f"{key}.value"])
            if c["beta1"]:
                out[f"{key}.first"] = torch.zeros_like(out[f"{key}.value"])
        integers = {"counters": torch.tensor([0, twin.tokens])}
        for s, fired in enumerate(twin.last_fired):
            integers[f"source.{s}.last_fired"] = fired.clone()
            integers[f"source.{s}.last_step"] = torch.zeros(c["width"], dtype=torch.int32)
        out["thresholds"] = torch.tensor([0.0, -1.0])
        for t, (xs, ys) in enumerate(batches):
            for s, x in enumerate(xs):
                out[f"batch.{t}.input.{s}"] = x
            for w, y in enumerate(ys):
                out[f"batch.{t}.target.{w}"] = y.clone()

        groups = [{"params": [v for k, v in twin.p.items() if not k.endswith("log_threshold")]},
                  {"params": [v for k, v in twin.p.items() if k.endswith("log_threshold")],
                   "lr": c["rate"] * c["threshold_rate"]}]
        adam = torch.optim.Adam(groups, lr=c["rate"], betas=(c["beta1"], c["beta2"]), eps=c["epsilon"])
        masks, margin = {k: torch.ones_like(v) for k, v in twin.p.items()}, 1.0
        for t, (xs, ys) in enumerate(batches):
            adam.zero_grad()
            loss, parts = twin.loss(xs, ys)
            loss.backward()
            for v in twin.p.values():
                if v.grad is None:
                    v.grad = torch.zeros_like(v)
            margin = min(margin, twin.margin)
            if t == 0:
                out["loss"] = torch.stack([loss, *parts.values()]).detach()
                for k, v in twin.p.items():
                    out[f"grad.{k}"] = v.grad.clone()
            twin.project()
            for k, v in twin.p.items():
                noise = (v.grad.abs() < 1e-6 * v.grad.abs().max()) & (v.grad != 0)
                masks[k] *= ~noise
            adam.step()
            twin.tokens += TOKENS
            for s in range(c["sources"]):
                value = twin.p[f"source.{s}.decoder"].data
                value /= value.norm(dim=1, keepdim=True)
                twin.last_fired[s] = torch.where(twin.fired[s], twin.tokens, twin.last_fired[s])
            if c["activation"] != "jumpReLU":
                kept = min(0.99, 1 - 1 / (t + 1))
                twin.running = kept * twin.running + (1 - kept) * twin.smallest
        if margin > 2e-5:
            break
    out["after.running_threshold"] = torch.tensor([twin.running])
    for k, v in twin.p.items():
        out[f"after.{k}"] = v.detach().clone()
        out[f"mask.{k}"] = masks[k]
    for s, fired in enumerate(twin.last_fired):
        integers[f"after.source.{s}.last_fired"] = fired
    tensors = {k: v.float().contiguous() for k, v in out.items()} | integers
    settings = {k: str(v) for k, v in c.items()} | {"version": str(VERSION)}
    settings["in_scales"] = ",".join(map(str, twin.in_scales))
    settings["out_scales"] = ",".join(map(str, twin.out_scales))
    fixture_files.save(tensors, FOLDER / f"{name}.safetensors", settings)
    print(name, f"seed {seed}, margin {margin:.1e}, loss {out['loss'].tolist()}")


if __name__ == "__main__":
    for name, case in CASES.items():
        make(name, DEFAULTS | case)
