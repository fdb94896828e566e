"""Branches of a trained run as files that other programs run: ONNX, TorchScript and `torch.export`."""

from typing import Literal

Target = Literal["onnx", "torchscript", "torch-export"]  # the formats; see `amsx.export.formats`
