"""The mean teacher: moving averages of the weights of both branches, which give the pseudo-labels in their place.

Tarvainen and Valpola, Mean teachers are better role models, NeurIPS 2017. The averages begin as the branches are when
the first phase with pseudo-labels begins. After every step of a branch, its average becomes
decay * average + (1 - decay) * weights.
"""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor

from amsx.model.ams import AMS
from amsx.training.phases import Branch

PREFIX = "teacher."  # of the names of its weights in a checkpoint


class MeanTeacher:
    """The averages of a model's branches; `model` is None as long as no phase with pseudo-labels has begun."""

    def __init__(self, decay: float) -> None:
        """`decay` is in [0, 1); with 0 there is no average, and the branches themselves give pseudo-labels."""
        self.decay = decay
        self.model: AMS | None = None

    def begin(self, model: AMS) -> None:
        """Let the averages be the weights of `model`, unless they have begun already."""
        if self.decay > 0 and self.model is None:
            self.model = deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def follow(self, model: AMS, branch: Branch) -> None:
        """Update the averages of a branch after a step of its training."""
        if self.model is None:
            return
        averages, weights = (list(getattr(one, branch).parameters()) for one in (self.model, model))
        torch._foreach_lerp_(averages, weights, 1 - self.decay)

    def state(self) -> dict[str, Tensor]:
        """The averages by name; empty where they have not begun."""
        return {} if self.model is None else {PREFIX + name: value for name, value in self.model.state_dict().items()}

    def restore(self, model: AMS, tensors: Mapping[str, Tensor]) -> None:
        """Take the averages of a model like `model` from a checkpoint, whose tensors need hold none."""
        self.model = None
        averages = {name[len(PREFIX) :]: value for name, value in tensors.items() if name.startswith(PREFIX)}
        if averages:
            self.begin(model)
        if self.model is not None:
            self.model.load_state_dict(averages)
