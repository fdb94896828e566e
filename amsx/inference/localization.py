"""Localizes one video after another, from however many there are, and writes what is found as it comes."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from amsx.inference import Format
from amsx.inference.model import Localized, TrainedModel
from amsx.inference.outputs import write
from amsx.inference.sources import Reading, Source
from amsx.inference.written import Folder
from amsx.system_errors import in_words


@dataclass(frozen=True)
class Outcome:
    """What became of one video."""

    source: Source
    localized: Localized | None = None  # None: it was written before, or could not be localized
    fault: str | None = None  # why it could not be localized


def localize_all(
    model: TrainedModel, sources: Sequence[Source], folder: Folder | None, *, progress: bool = True
) -> Iterator[Outcome]:
    """Localize the videos one by one, write each to `folder`, if given, and yield what became of it.

    A video that the folder holds already, made from the same files with the same settings, is passed over. One whose
    files are at fault is reported, and the others go on; where there is one alone, the fault is raised. Nothing of a
    video is kept after its turn.
    """
    bar = tqdm(sources, desc="localize", unit="video", disable=not progress or len(sources) == 1)
    for source in bar:
        if folder is not None and folder.is_done(source.id, source.files):
            yield Outcome(source)
            continue
        try:
            localized = model.localize_video(source.open())
        except (ValueError, OSError) as error:
            if len(sources) == 1:
                raise
            yield Outcome(source, fault=in_words(error) if isinstance(error, OSError) else str(error))
            continue
        if folder is not None:
            for format in folder.formats:
                write(localized, folder.file(source.id, format), format, model.config.localization)
            folder.done(source.id, source.files)
        yield Outcome(source, localized)


def output_folder(
    model: TrainedModel, sources: Sequence[Source], reading: Reading, out: Path, formats: Sequence[Format]
) -> Folder:
    """The folder `out` for the results of `sources`; errors are those of `Folder`."""
    return Folder(out, [source.id for source in sources], formats, _settings(model, reading))


def _settings(model: TrainedModel, reading: Reading) -> Mapping[str, Any]:
    """What results depend on beside the files of a video."""
    return {
        "weights": _digest_of_weights(model),
        "localization": asdict(model.config.localization),
        "timing": asdict(reading.timing),
        "layout": reading.layout,
        "layout_options": dict(reading.layout_options),
        "transpose": reading.transpose,
    }


def _digest_of_weights(model: TrainedModel) -> str:
    digest = hashlib.sha256()
    for name in model.streams:
        for key, tensor in model.network(name).state_dict().items():
            digest.update(f"{name}.{key}".encode())
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
