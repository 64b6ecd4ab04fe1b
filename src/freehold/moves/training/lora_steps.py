"""The steps of a LoRA's training: which lessons make a batch, one step of AdamW, and the state between two steps.

Everything follows from (seed, step): no hidden random state, so a restored trainer continues as if never stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as unpack
from safetensors.torch import save as pack
from torch.nn import functional

from freehold.moves.training.chat_text import Example, common_prefix
from freehold.moves.training.lora_options import Options

_WORTH = 16
"""Shared first tokens from which running them once a step pays."""
_BUCKET = 16
"""Batches whose lessons are sorted by length together, so that little is padding."""
_WARM = 0.06
_CLIP = 1.0


def schedule(count: int, batch: int, seed: int, epoch: int, lengths: Sequence[int]) -> list[list[int]]:
    """The batches of one epoch: shuffled, of like lengths, each lesson once."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(count).tolist()
    span = batch * _BUCKET
    batches: list[list[int]] = []
    for start in range(0, count, span):
        bucket = sorted(order[start : start + span], key=lambda i: (lengths[i], i))
        batches += [bucket[i : i + batch] for i in range(0, len(bucket), batch)]
    return [batches[i] for i in random.permutation(len(batches)).tolist()]


class Trainer:
    """Trains the adapters of `tuned` on `examples`. `step` of `total` are done."""

    def __init__(self, tuned: Any, examples: Sequence[Example], options: Options, seed: int) -> None:
        self._tuned = tuned
        self._inner = tuned.base_model.model
        self._device = next(tuned.parameters()).device
        self._seed = seed
        self._options = options
        shared = common_prefix(examples)
        self.shared = shared if shared >= _WORTH else 0
        self._prefix = examples[0].ids[: self.shared]
        self._examples = list(examples)
        self._lengths = [len(one.ids) for one in self._examples]
        self._an_epoch = -(-len(examples) // options.batch)
        self.total = options.steps or max(1, round(options.epochs * self._an_epoch))
        self.step = 0
        self.tokens = 0
        self.before = 0.0
        self._names = [name for name, one in tuned.named_parameters() if one.requires_grad]
        self._params = [one for one in tuned.parameters() if one.requires_grad]
        self.count = sum(one.numel() for one in self._params)
        self._optimiser = torch.optim.AdamW(self._params, lr=options.rate, betas=(0.9, 0.99), weight_decay=0.0)

    def advance(self) -> float:
        """One step. Its mean loss, in nats a token of the answers."""
        epoch, place = divmod(self.step, self._an_epoch)
        batches = schedule(len(self._examples), self._options.batch, self._seed, epoch, self._lengths)
        chosen = [self._examples[i] for i in batches[place]]
        self._tuned.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self._options.rate * self._share()
        parts = self._parts(chosen)
        weights = [sum(len(one.ids) - one.start for one in some) for some in parts]
        loss = 0.0
        for some, weight in zip(parts, weights, strict=True):
            part = self._loss(some) * (weight / sum(weights))
            part.backward()
            loss += float(part.detach())
        torch.nn.utils.clip_grad_norm_(self._params, _CLIP)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += sum(len(one.ids) - self.shared for one in chosen) + self.shared
        return loss

    def judge(self, examples: Sequence[Example]) -> float:
        """Mean loss a token of the answers of `examples`, 0 without any."""
        self._tuned.eval()
        total = tokens = 0.0
        with torch.no_grad():
            for some in self._parts(sorted(examples, key=lambda one: len(one.ids))):
                weight = sum(len(one.ids) - one.start for one in some)
                total += float(self._loss(some)) * weight
                tokens += weight
        return total / tokens if tokens else 0.0

    def state(self) -> bytes:
        """All that a trainer of the same job needs to go on from here."""
        kept: dict[str, Any] = {
            "at": torch.tensor([self.step, self.tokens]),
            "before": torch.tensor([self.before]).double(),
        }
        for name, one in zip(self._names, self._params, strict=True):
            held = self._optimiser.state[one]
            kept |= {f"p.{name}": one.detach(), f"m.{name}": held["exp_avg"], f"v.{name}": held["exp_avg_sq"]}
        return bytes(pack({name: one.cpu().contiguous() for name, one in kept.items()}))

    def restore(self, state: bytes) -> None:
        """Go on from a state."""
        kept = unpack(state)
        self.step, self.tokens = (int(one) for one in kept["at"])
        self.before = float(kept["before"])
        for name, one in zip(self._names, self._params, strict=True):
            one.data.copy_(kept[f"p.{name}"])
            self._optimiser.state[one] = {
                "step": torch.tensor(float(self.step)),
                "exp_avg": kept[f"m.{name}"].to(self._device),
                "exp_avg_sq": kept[f"v.{name}"].to(self._device),
            }

    def _parts(self, examples: Sequence[Example]) -> list[list[Example]]:
        """The examples in runs of so many padded tokens at most: activations, not weights, fill the memory."""
        parts: list[list[Example]] = []
        longest = 0
        for one in examples:
            longest = max(longest, len(one.ids) - self.shared)
            if not parts or (len(parts[-1]) + 1) * longest > self._options.tokens_at_once:
                parts.append([])
                longest = len(one.ids) - self.shared
            parts[-1].append(one)
        return parts

    def _share(self) -> float:
        warm = max(1.0, _WARM * self.total)
        return min(1.0, (self.step + 1) / warm) * max(0.02, 1 - self.step / self.total)

    def _loss(self, examples: Sequence[Example]) -> Any:
        """Mean cross-entropy over answer tokens: only the rows that predict one reach the output layer.

        What all prompts begin with is run once, and its keys and values are shared.
        """
        shared = self.shared
        if not all(one.start > shared and one.ids[:shared] == self._prefix for one in examples):
            shared = 0
        ids, mask, wanted = self._padded([Example(one.ids[shared:], one.start - shared) for one in examples])
        if not shared:
            hidden = self._inner.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        else:
            first = torch.tensor([self._prefix], device=self._device)
            past = self._inner.model(input_ids=first, use_cache=True).past_key_values
            past.batch_repeat_interleave(len(examples))
            before = torch.ones(len(examples), shared, dtype=torch.long, device=self._device)
            hidden = self._inner.model(
                input_ids=ids, attention_mask=torch.cat([before, mask], 1), past_key_values=past, use_cache=True
            ).last_hidden_state
        rows = wanted.ne(-100)
        return functional.cross_entropy(self._inner.lm_head(hidden[rows]).float(), wanted[rows])

    def _padded(self, examples: Sequence[Example]) -> tuple[Any, Any, Any]:
        longest = max(len(one.ids) for one in examples)
        ids = torch.zeros(len(examples), longest, dtype=torch.long)
        mask = torch.zeros(len(examples), longest, dtype=torch.long)
        wanted = torch.full((len(examples), longest), -100)
        for i, one in enumerate(examples):
            ids[i, : len(one.ids)] = torch.tensor(one.ids)
            mask[i, : len(one.ids)] = 1
            wanted[i, one.start - 1 : len(one.ids) - 1] = torch.tensor(one.ids[one.start :])
        return ids.to(self._device), mask.to(self._device), wanted.to(self._device)
