"""The training of other tools, driven through their own trainers, and what they learned in one common form.

`saelens` and `dictionary_learning` each return a Trainer for one objective. Every setting that the tools count in steps or
tokens of long runs is given as a share of the run, the same for all tools (see Settings); optimisers, losses, clipping,
initialisation and what is done about dead features are the tools' own, but for two starting points, without which so short
a run would only show that they were left out: the decoder bias begins at the mean of the first batch (as gscope's does, and
that of dictionary_learning's BatchTopK by itself), and SAELens's JumpReLU thresholds where the first batch has the L0 that
is asked for.
"""

import importlib.metadata
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WARMUP, DECAY, RAMP = 0.05, 0.3, 0.1  # shares of all steps: learning rate up, learning rate down to 0, sparsity up
DEAD_AFTER = 50_000  # activations without firing
PACKAGES = {"saelens": "sae-lens", "dictionary_learning": "dictionary-learning"}


@dataclass
class Settings:
    objective: str  # batchtopk or jumprelu
    width: int
    batch: int
    steps: int
    learning_rate: float
    seed: int
    l0: int = 60
    d: int = 640
    coefficient: float | None = None  # of the sparsity loss of JumpReLU
    bandwidth: float | None = None  # of JumpReLU's straight-through kernel

    def share(self, part: float) -> int:
        return max(1, round(part * self.steps))


@dataclass
class Trainer:
    """`fit` trains on batches [batch, d] of mean square norm 1; `weights` then gives w_enc [d, F], b_enc, threshold,
    w_dec [F, d], b_dec: f = z where z = relu(x·w_enc + b_enc) > threshold, else 0; x̂ = f·w_dec + b_dec. `state`, whenever
    a batch is asked for, is all that has been learned so far; after `adopt` of it `fit` goes on with the batch that was
    asked for, the steps before it being `done`."""

    fit: Callable[[Iterator, int], None]
    weights: Callable[[], dict]
    state: Callable[[], dict]
    adopt: Callable[[dict], None]
    details: dict


def version(tool: str) -> str:
    return importlib.metadata.version(PACKAGES[tool])


def peek(batches: Iterator):
    batches = iter(batches)
    first = next(batches)
    return first, itertools.chain([first], batches)


def quicken_topk() -> None:
    """Puts in place of torch.topk, for long vectors, one that makes the same choice (but for ties) in a fifth of the time.

    BatchTopK asks for the 61,440 largest of 4 million, and PyTorch goes through pairs of all of them and their places for that.
    Here only those above a bound that a sample gives are looked at.
    """
    import torch

    whole, stride = torch.topk, 61  # a prime: the sample has every column of a batch in it

    def topk(values, k, dim=-1, largest=True, sorted=True):
        if values.dim() != 1 or len(values) < 1_000_000 or not largest:
            return whole(values, k, dim, largest, sorted)
        with torch.no_grad():
            sample = values[::stride]
            expected = k / stride
            taken = min(len(sample), int(expected + 6 * expected**0.5) + 1)  # six deviations more than should be needed
            above = (values > sample.kthvalue(len(sample) - taken + 1).values).nonzero().squeeze(1)
            if len(above) < k:
                return whole(values, k, dim, largest, sorted)
            chosen = above[whole(values[above], k, sorted=sorted).indices]
        return torch.return_types.topk((values.gather(0, chosen), chosen))

    torch.topk = torch.Tensor.topk = topk


def starting_threshold(x, w_enc, l0: int) -> float:
    """Where `l0` pre-activations a row are above it."""
    z = (x @ w_enc).flatten()
    return max(0.0, z.kthvalue(z.numel() - l0 * len(x)).values.item())


def keeping(trainer) -> tuple[Callable, Callable]:
    """`state` and `adopt` of a trainer whose attributes are modules, optimisers, schedules, tensors and numbers."""
    import torch

    def parts():
        nested = {f"{name}.{key}": value for name, values in vars(trainer).items() if isinstance(values, dict)
                  for key, value in values.items()}  # fmt: skip
        return {name: part for name, part in (vars(trainer) | nested).items() if hasattr(part, "load_state_dict")}

    def state():
        plain = {name: value for name, value in vars(trainer).items()
                 if isinstance(value, (torch.Tensor, int, float)) and name not in parts()}  # fmt: skip
        return {"plain": plain, "parts": {name: part.state_dict() for name, part in parts().items()}}

    def adopt(state):
        vars(trainer).update(state["plain"])
        for name, part in parts().items():
            part.load_state_dict(state["parts"][name])

    return state, adopt


def saelens(settings: Settings) -> Trainer:
    """SAETrainer.fit of SAELens, with activations in place of a language model."""
    import torch
    from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(settings.seed)
    common = {"d_in": settings.d, "d_sae": settings.width, "normalize_activations": "none"}
    if settings.objective == "batchtopk":
        sae = BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(**common, k=settings.l0))
    else:
        # The penalty of Gemma Scope 2, which is the one that aims at an L0.
        sae = JumpReLUTrainingSAE(
            JumpReLUTrainingSAEConfig(
                **common,
                jumprelu_sparsity_loss_mode="quadratic",
                target_l0=settings.l0,
                l0_coefficient=settings.coefficient,
                l0_warm_up_steps=settings.share(RAMP),
                jumprelu_bandwidth=settings.bandwidth,
                decoder_init_norm=1.0,
            )
        )
    configuration = SAETrainerConfig(
        total_training_samples=settings.steps * settings.batch,
        train_batch_size_samples=settings.batch,
        lr=settings.learning_rate,
        lr_end=settings.learning_rate,
        lr_warm_up_steps=settings.share(WARMUP),
        lr_decay_steps=settings.share(DECAY),
        dead_feature_window=max(1, DEAD_AFTER // settings.batch),
    )

    trainer = SAETrainer(configuration, sae, None)

    def weights():
        sae = trainer.sae
        state = {name: value.detach().clone() for name, value in sae.state_dict().items()}
        sae.process_state_dict_for_saving_inference(state)
        if sae.cfg.apply_b_dec_to_input:
            state["b_enc"] = state["b_enc"] - state["b_dec"] @ state["W_enc"]
        names = {"w_enc": "W_enc", "b_enc": "b_enc", "threshold": "threshold", "w_dec": "W_dec", "b_dec": "b_dec"}
        return {ours: state[theirs] for ours, theirs in names.items()}

    def fit(batches, done):
        if done == 0:
            first, batches = peek(batches)
            with torch.no_grad():
                sae.b_dec[:] = first.mean(0)
                if settings.objective == "jumprelu":
                    sae.threshold[:] = starting_threshold(first - sae.b_dec, sae.W_enc, settings.l0)
        trainer.data_provider = batches
        trainer.fit()

    names = ("aux_loss_coefficient", "decoder_init_norm", "pre_act_loss_coefficient")
    details = {name: getattr(sae.cfg, name) for name in names if hasattr(sae.cfg, name)}
    return Trainer(fit, weights, *keeping(trainer), details)


def dictionary_learning(settings: Settings) -> Trainer:
    """BatchTopKTrainer and JumpReluTrainer of dictionary_learning, each step their own `update`."""
    # The package imports nnsight for harvesting from models, which nothing here does.
    sys.modules.setdefault("nnsight", types.SimpleNamespace(LanguageModel=object))
    import torch
    from dictionary_learning.trainers import BatchTopKTrainer, JumpReluTrainer

    torch.manual_seed(settings.seed)
    common = {
        "steps": settings.steps, "activation_dim": settings.d, "dict_size": settings.width, "layer": 9,
        "lm_name": "gemma-3-270m", "seed": settings.seed, "lr": settings.learning_rate, "device": "cpu",
        "warmup_steps": settings.share(WARMUP), "decay_start": settings.steps - settings.share(DECAY),
    }  # fmt: skip
    if settings.objective == "batchtopk":
        # The threshold is a running mean over 1,000 steps that starts at step 1,000; here it starts after the warm-up.
        trainer = BatchTopKTrainer(**common, k=settings.l0, threshold_start_step=settings.share(WARMUP))
    else:
        trainer = JumpReluTrainer(**common, target_l0=settings.l0, sparsity_penalty=settings.coefficient,
                                  bandwidth=settings.bandwidth, sparsity_warmup_steps=settings.share(RAMP))  # fmt: skip
    trainer.dead_feature_threshold = DEAD_AFTER

    def fit(batches, done):
        if done == 0:
            first, batches = peek(batches)
            if settings.objective == "jumprelu":
                with torch.no_grad():
                    trainer.ae.b_dec[:] = first.mean(0)
        for step, batch in zip(range(done, settings.steps), batches):
            trainer.update(step, batch)

    def weights():
        sae = trainer.ae
        with torch.no_grad():
            if settings.objective == "batchtopk":
                encoder, decoder = sae.encoder.weight.T.clone(), sae.decoder.weight.T.clone()
                bias = sae.encoder.bias - sae.b_dec @ encoder
                threshold = torch.ones_like(bias) * float(sae.threshold)
            else:
                encoder, decoder, bias, threshold = sae.W_enc, sae.W_dec, sae.b_enc, sae.threshold
            parts = {"w_enc": encoder, "b_enc": bias, "threshold": threshold, "w_dec": decoder, "b_dec": sae.b_dec}
            return {name: value.detach().clone().contiguous() for name, value in parts.items()}

    details = {"auxk_alpha": getattr(trainer, "auxk_alpha", None)}
    return Trainer(fit, weights, *keeping(trainer), details)


TRAINERS = {"saelens": saelens, "dictionary_learning": dictionary_learning}
