"""The recipe `lora`: low-rank adapters of all linear layers of an owned chat model (Hu 2021), for one workflow.

The loss is on answer tokens alone. Batches follow from the seed and the step, so a job that was killed goes on from
its checkpoint to the same adapter. Leaves PEFT's folder and the same adapter as GGUF.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from freehold.core.canonical import exact
from freehold.core.errors import BadArtefact
from freehold.moves.training import child
from freehold.moves.training.chat_text import Example, example_of
from freehold.moves.training.errors import BadOption, NoTrainer, TooFewLessons
from freehold.moves.training.job import Base, Progress, Trained, Workshop
from freehold.moves.training.lora_options import Options, options_of
from freehold.registry.artefacts import digest_of
from freehold.serving.adapter_gguf import CONFIG, WEIGHTS, convert

ADAPTER = "adapter.gguf"
_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def run(shop: Workshop) -> Trained:
    """Train. Raises NoTrainer, TooFewLessons, BadOption, BadArtefact, FileRefused."""
    options = options_of(shop.job.options)
    base = _base(shop.job.base)
    try:
        import peft
        import torch
        import transformers
    except ImportError as error:
        raise NoTrainer(f"the recipe lora needs {error.name}") from None
    torch.set_num_threads(options.threads)
    torch.manual_seed(shop.job.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    transformers.utils.logging.set_verbosity_error()
    from freehold.moves.training.base_model import load

    wants = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    device = "cuda" if wants else "cpu"
    model, tokenizer = load(Path(base.file), torch.bfloat16, device)
    examples, skipped = _examples(shop, tokenizer, options)
    config = peft.LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        lora_dropout=0.0,
        target_modules=list(_LINEAR),
        task_type="CAUSAL_LM",
    )
    tuned = peft.get_peft_model(model, config)
    held = min(options.held_out, len(examples) // 10)
    from freehold.moves.training.lora_steps import Trainer

    trainer = Trainer(tuned, examples[: len(examples) - held], options, shop.job.seed)
    latest = examples[len(examples) - held :]
    facts = _train(shop, trainer, latest, options)
    _export(shop, tuned, base)
    metrics = {**facts, "examples": len(examples) - held, "skipped": skipped, "device": device}
    return shop.finish("gguf", [ADAPTER, CONFIG, WEIGHTS], metrics)


def _base(base: Base | None) -> Base:
    if base is None:
        raise BadOption("the recipe lora needs a base model", hint="name one: freehold models list")
    path = Path(base.file)
    if not path.is_file() or digest_of(path) != base.sha256:
        raise BadArtefact(f"the base {base.name} is not the file the job names", param=base.file)
    return base


def _examples(shop: Workshop, tokenizer: Any, options: Options) -> tuple[list[Example], int]:
    def template(messages: list[dict[str, str]]) -> str:
        return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False).input_ids)

    every = [example_of(one, template, encode) for one in shop.lessons()]
    kept = [one for one in every if len(one.ids) <= options.most_tokens]
    if len(kept) < 2:
        raise TooFewLessons(f"{len(kept)} lessons of at most {options.most_tokens} tokens are too few")
    return kept, len(every) - len(kept)


def _train(shop: Workshop, trainer: Any, latest: Sequence[Example], options: Options) -> dict[str, Any]:
    state = shop.resume()
    if state is None:
        trainer.before = trainer.judge(latest)
    else:
        trainer.restore(state)
    saved = shop.seconds()
    while trainer.step < trainer.total:
        loss = trainer.advance()
        if not np.isfinite(loss):
            raise BadOption(f"the loss is no number after {trainer.step} steps", hint="take a lower rate")
        shop.tell(Progress(trainer.step, trainer.total, round(loss, 6), round(shop.seconds(), 3), "train"))
        if shop.seconds() - saved >= options.checkpoint_seconds:
            shop.save(trainer.state(), trainer.step)
            saved = shop.seconds()
    return {
        "steps": trainer.total,
        "loss_before": round(trainer.before, 5),
        "loss_after": round(trainer.judge(latest), 5),
        "held_out": len(latest),
        "trainable": trainer.count,
        "shared_tokens": trainer.shared,
        "tokens": trainer.tokens,
    }


def _export(shop: Workshop, tuned: Any, base: Base) -> None:
    tuned.save_pretrained(shop.out)
    (shop.out / "README.md").unlink(missing_ok=True)  # a form to fill in
    (shop.out / WEIGHTS).chmod(0o600)
    told = msgspec.json.decode((shop.out / CONFIG).read_bytes())
    # The library writes sets in no fixed order.
    told = {name: sorted(one) if name == "target_modules" else one for name, one in told.items()}
    told["base_model_name_or_path"] = base.name
    shop.write(CONFIG, lambda part: part.write_bytes(exact(told) + b"\n"))
    shop.write(ADAPTER, lambda part: convert(shop.out, Path(base.file), part))


def main(arguments: list[str] | None = None) -> int:
    """Run as a child process. Waiting threads sleep, so that what serves beside it is not starved."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    return child.main(run, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
