"""A trained run applied to anything new: features in memory, files of features, data sets, video files."""

from typing import Literal

Part = Literal["test", "train", "all"]  # which videos of a data set
Format = Literal["json", "csv", "srt", "vtt", "png"]  # what is written of a video; see `amsx.inference.outputs`
AnnotationForm = Literal["action_former", "opentad", "activity_net"]  # see `amsx.inference.pseudo_annotation`
