"""Any network in a TorchScript, `torch.export` or ONNX file, fed and read as a TOML file says (docs/extractors.md).

A TorchScript file is a program: running it runs what its author wrote. Use files of people you trust.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from amsx.data.extraction_record import ExtractorIdentity
from amsx.video.extractors import FrameSize
from amsx.video.module_description import ModuleDescription, read_description
from amsx.video.weights import checksum

NAME = "module"
Network = Callable[[Tensor], Any]


@dataclass(frozen=True)
class Settings:
    """What can be set of the extractor."""

    description: str  # the TOML file


def build(settings: Settings, device: torch.device) -> "ModuleExtractor":
    """The extractor that a description describes; errors as of `read_description`, and where its file does not fit."""
    path = Path(settings.description).expanduser()
    described = read_description(path)
    return ModuleExtractor(replace(described, file=path.parent / described.file.expanduser()), device)


class ModuleExtractor:
    """An extractor whose network comes from a file."""

    name = NAME

    def __init__(self, described: ModuleDescription, device: torch.device) -> None:
        self.kind: Literal["rgb", "flow"] = described.kind
        self.width = described.width
        self.frame_size = FrameSize(described.frames.short_side, described.frames.crop)
        self.snippet_frames = described.frames.snippet
        self._described, self._device = described, device
        self._weights = checksum(described.file, described.sha256)
        self._network, self._packages, fixed_batch = _opened(described, device)
        self._batch = fixed_batch or described.input.batch
        self._fixed = fixed_batch is not None
        self._try()

    def identity(self) -> ExtractorIdentity:
        """What the vectors depend on."""
        return ExtractorIdentity(NAME, self.width, self._described.settings(), self._weights, self._packages)

    @torch.inference_mode()
    def __call__(self, clips: Tensor) -> Tensor:
        """The vectors (N, D) of `clips` (N, frames, H, W, 3), uint8 RGB, or (N, frames, H, W, 2), flow."""
        count, length = clips.shape[:2]
        seen = self._described.frames.seen
        chosen = torch.arange(seen) * length // seen + length // (2 * seen)  # the middle of every part
        clips = clips[:, chosen]
        if self._described.input.layout == "NCHW":
            frames = self._vectors(clips.flatten(0, 1)[:, None])
            vectors = frames.view(count, seen, self.width).mean(dim=1)
        else:
            vectors = self._vectors(clips)
        return F.normalize(vectors, dim=1) if self._described.output.normalize else vectors

    def _vectors(self, clips: Tensor) -> Tensor:
        """A batch of the network at a time: (N, T, H, W, C) to (N, D)."""
        vectors = []
        for part in torch.split(clips, self._batch):
            size = len(part)
            if self._fixed and size < self._batch:  # the rest is filled with copies, whose vectors are dropped
                part = part[torch.arange(self._batch).clamp(max=size - 1)]
            vectors.append(self._read(self._network(self._fed(part)), len(part))[:size])
        return torch.cat(vectors)

    def _fed(self, clips: Tensor) -> Tensor:
        """(N, T, H, W, C) as decoded to what the network takes."""
        said = self._described.input
        values = clips.to(self._device).permute(0, 1, 4, 2, 3).float()  # (N, T, C, H, W)
        if self._described.frames.resize:
            flat = F.interpolate(values.flatten(0, 1), list(self._described.frames.resize), mode="bilinear")
            values = flat.view(*values.shape[:3], *flat.shape[2:])
        if said.colours == "bgr":
            values = values.flip(2)
        if said.clip is not None:
            values = values.clamp(-said.clip, said.clip)
        mean, std = (torch.tensor(v, device=self._device).view(-1, 1, 1) for v in (said.mean, said.std))
        values = (values / said.divide_by - mean) / std
        if said.layout == "NCHW":
            return values[:, 0]
        return values.transpose(1, 2).contiguous() if said.layout == "NCTHW" else values

    def _read(self, outputs: Any, count: int) -> Tensor:
        """The vectors (N, D) in what the network returned; ValueError where they are not where the description says."""
        said, file = self._described.output, self._described.file
        output = outputs
        if isinstance(outputs, Mapping):
            if said.name is None and len(outputs) > 1:
                raise ValueError(f"{file} returns {', '.join(outputs)}; expected one of them as output.name")
            output = outputs.get(said.name or next(iter(outputs)))
        elif isinstance(outputs, Sequence):
            output = outputs[said.index] if -len(outputs) <= said.index < len(outputs) else None
        if not isinstance(output, Tensor):
            what = said.index if said.name is None else repr(said.name)
            raise ValueError(f"{file} has no output {what} that is a tensor")
        shape = tuple(output.shape)
        if said.pool == "tokens" and len(shape) > 2:
            output = output.flatten(1, -2).mean(dim=1)
        elif said.pool == "first-token" and len(shape) == 3:
            output = output[:, 0]
        elif said.pool == "map" and len(shape) > 2:
            output = output.flatten(2).mean(dim=2)
        if tuple(output.shape) != (count, self.width):
            raise ValueError(
                f"{file} gives an array {shape} for {count} inputs, and output.pool={said.pool!r} makes "
                f"{tuple(output.shape)} of it; expected ({count}, {self.width})"
            )
        return output.detach().float().cpu()

    def _try(self) -> None:
        """Run the network on one empty clip, so that a description that does not fit is known before any video is read.

        ValueError with what the network says. Where the size of frames is not fixed, 224 x 224 stands for it.
        """
        height, width = (self.frame_size.crop or self.frame_size.short_side or 224,) * 2
        clip = torch.zeros(1, self.snippet_frames, height, width, 3 if self.kind == "rgb" else 2)
        try:
            self(clip)
        except ValueError:
            raise
        except Exception as error:  # torch and onnxruntime raise errors of many kinds
            shape = tuple(self._fed(clip[:, : self._described.frames.seen]).shape)
            reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise ValueError(f"{self._described.file} does not take an input of shape {shape}: {reason}") from error


def _opened(described: ModuleDescription, device: torch.device) -> tuple[Network, dict[str, str], int | None]:
    """The network in the file, the versions of what runs it, and the one batch size that it takes, if there is one."""
    path = described.file
    if described.known_format == "onnx":
        return _onnx(described, device)
    try:
        if described.known_format == "torchscript":
            load: Any = torch.jit.load
            network = load(path, map_location=device).eval()
        else:
            network = torch.export.load(path).module().to(device)
    except Exception as error:  # torch raises errors of many kinds
        raise ValueError(f"{path} cannot be read as {described.known_format}: {error}") from error
    return network, {"torch": torch.__version__}, None


def _onnx(described: ModuleDescription, device: torch.device) -> tuple[Network, dict[str, str], int | None]:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise RuntimeError(
            "the extractor module needs the package onnxruntime for ONNX files: pip install 'amsx[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    provider = "CPUExecutionProvider" if device.type == "cpu" else "CUDAExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise ValueError(f"onnxruntime {onnxruntime.__version__} has no {provider} for the device {device}")
    try:
        session = onnxruntime.InferenceSession(described.file, options, providers=[provider])
    except Exception as error:  # errors of onnxruntime have no common type that is public
        raise ValueError(f"{described.file} cannot be read as onnx: {error}") from error
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise ValueError(f"{described.file} takes {len(inputs)} inputs ({names}); expected one")
    half = inputs[0].type == "tensor(float16)"
    outputs = [one.name for one in session.get_outputs()]
    if described.output.name is not None and described.output.name not in outputs:
        raise ValueError(f"{described.file} has the outputs {', '.join(outputs)}; expected one of them as output.name")

    def run(x: Tensor) -> Any:
        array = (x.half() if half else x).cpu().numpy()
        chosen = None if described.output.name is None else [described.output.name]
        results = [torch.from_numpy(value) for value in session.run(chosen, {inputs[0].name: array})]
        return results if chosen is None else dict(zip(chosen, results, strict=True))

    fixed = inputs[0].shape[0] if inputs[0].shape and isinstance(inputs[0].shape[0], int) else None
    return run, {"onnxruntime": onnxruntime.__version__}, fixed
