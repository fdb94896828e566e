"""The report as one HTML file: every figure, script and style inside it, nothing fetched.

The pictures of videos are SVG drawn by a small script of our own (template/timeline.js) from the data in the file: a
plotting library would weigh megabytes in every report, and the strips need its axes, legends and themes least of all.
Canvas would be faster for millions of points; here a strip is at most two points a pixel, and SVG stays sharp in print.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import amsx
from amsx.experiments.reproduction import Reproduction
from amsx.figures import palette
from amsx.file_names import shown
from amsx.files import write_text
from amsx.report import run_sections
from amsx.report.error_section import errors
from amsx.report.experiment_section import experiments
from amsx.report.markup import ComparedGroups, by_protocol, counted, explanation_of, facts, rules
from amsx.report.run_groups import Group, views_of
from amsx.report.thumbnails import check_frames, thumbnails
from amsx.report.timelines import Timelines
from amsx.training.run import coverage

BUDGET = 12_000_000  # bytes of video data; beyond it a browser takes seconds to open the file
SAMPLE = 50  # videos whose data is made to learn how much that of all would take


def write_report(
    groups: Sequence[Group],
    out: Path | str,
    *,
    reproduced: Sequence[Reproduction] = (),
    videos: int | Sequence[str] | None = None,
    frames: Path | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Write the report on what `read_groups` and `read_reproduction` returned to `out`; it appears whole or not at all.

    `videos` chooses whose timelines are in it: how many, evenly spread over the runs' test videos, or which; None: as
    many as stay within `BUDGET` bytes. `frames`: a folder with a folder of images for every video (see
    `amsx.report.thumbnails`). ValueError for a video that was not tested, where there are no frames, or where there is
    nothing to report.
    """
    if not groups and not reproduced:
        raise ValueError("expected at least one run directory or folder of amsx reproduce")
    runs = _runs(groups, videos, frames, say) if groups else {}
    out = Path(out)
    write_text(out, render(groups, runs, reproduced))
    return out


def _runs(
    groups: Sequence[Group], videos: int | Sequence[str] | None, frames: Path | None, say: Callable[[str], None]
) -> dict[str, str]:
    """The sections on runs, with as many timelines as are asked for or fit."""
    ids = groups[0].runs[0].parts[0].ids
    chosen = chosen_videos(ids, videos)
    if frames is not None and (missing := check_frames(frames, [ids[i] for i in chosen])):
        say(missing)
    timelines = [Timelines(group.runs[0]) for group in groups]  # the first seed of each
    sample = evenly(chosen, SAMPLE)
    entries = video_entries(timelines, sample, frames)
    size = sum(map(len, entries)) * len(chosen) // len(sample)
    fitting = chosen
    if videos is None and size > BUDGET:
        kept = worst_and_others([timelines[0].score(video) for video in chosen], len(chosen) * BUDGET // size)
        fitting = [chosen[i] for i in kept]
    if fitting != sample:
        entries = video_entries(timelines, fitting, frames)
    note = ""
    if len(fitting) < len(chosen):
        note = (
            f"This file holds {len(entries)} of the {len(ids)} test videos: half of them those with the worst scores, "
            "half evenly spread over the others."
        )
        say(f"{note} --videos chooses how many, --video which.")
    elif len(entries) < len(ids):
        how = ", evenly spread in their order" if isinstance(videos, int) else ""
        note = f"This file holds {len(entries)} of the {len(ids)} test videos{how}."
    return _run_sections(groups, timelines, fitting, entries, note)


def chosen_videos(ids: Sequence[str], videos: int | Sequence[str] | None) -> list[int]:
    """Indices of the test videos to show; ValueError for an unknown id or a number below 1."""
    if videos is None:
        return list(range(len(ids)))
    if isinstance(videos, int):
        if videos < 1:
            raise ValueError(f"videos must be at least 1, got {videos}")
        return evenly(range(len(ids)), videos)
    for name in videos:
        if name not in ids:
            some = ", ".join(map(shown, ids[:5])) + (", ..." if len(ids) > 5 else "")
            raise ValueError(f"no test video is called {name!r}; the {len(ids)} test videos are {some}")
    return [ids.index(name) for name in videos]


def evenly(items: Sequence[Any], count: int) -> list[Any]:
    """`count` of the items (all where there are fewer), evenly spread, in order."""
    count = min(count, len(items))
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def worst_and_others(scores: Sequence[float | None], count: int) -> list[int]:
    """Which of the videos with these `scores` to show, `count` in all but at least 2, in order.

    Half are those with the worst scores, because they are looked at first; the others are evenly spread.
    """
    worst = sorted((i for i, score in enumerate(scores) if score is not None), key=lambda i: scores[i] or 0.0)
    chosen = set(worst[: max(1, count // 2)])
    others = [i for i in range(len(scores)) if i not in chosen]
    return sorted(chosen.union(evenly(others, max(1, count - len(chosen)))))


def video_entries(timelines: Sequence[Timelines], chosen: Sequence[int], frames: Path | None) -> list[str]:
    """The data of every chosen video as JSON that may stand in a script element."""
    first = timelines[0]
    entries = []
    for video in chosen:
        truth = first.truth(video)
        labels = sorted(set(truth).union(*(t.predicted(video) for t in timelines)), key=lambda c: (c not in truth, c))
        timebase = first.timebases[video]
        entries.append(
            embedded(
                {
                    "id": first.ids[video],
                    "snippets": int(first.edges[video + 1] - first.edges[video]),
                    "seconds": timebase.snippet_seconds,
                    "offset": timebase.offset,
                    "truth": truth,
                    "classes": labels,
                    "input": first.change(video),
                    "frames": [] if frames is None else thumbnails(frames, first.ids[video]),
                    "runs": [t.outcome(video, labels) for t in timelines],
                }
            )
        )
    return entries


def embedded(values: Any) -> str:
    """JSON in which nothing can end a script element, whatever the strings say."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def render(groups: Sequence[Group], runs: Mapping[str, str], reproduced: Sequence[Reproduction]) -> str:
    """The page; `runs`: name of a section on `groups` -> its HTML, as `_run_sections` gives them."""
    places = [f"experiments-{i + 1}" for i in range(len(reproduced))]
    folders = [reproduction.folder.resolve().name for reproduction in reproduced]
    links = dict(zip(places, folders if len(folders) > 1 else ["Experiments"], strict=False))
    links |= {name: name.capitalize() for name in runs}
    filled = {
        "STYLES": _hashes(_style()),
        "SCRIPTS": _hashes(_template("page.js"), _browsing()),
        "TITLE": escape(", ".join([*folders, *(g.name for g in groups)])),
        "STYLE": _style(),
        "PAGE": _template("page.js"),
        "LINKS": "".join(f'<a href="#{name}">{escape(text)}</a>' for name, text in links.items()),
        "FACTS": _facts(groups) if groups else "",
        "WARNINGS": _warnings(groups) if groups else "",
        "SECTIONS": "\n".join([*map(experiments, reproduced, places), *runs.values()]),
        "MADE": f"amsx {escape(amsx.__version__)}, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
    }
    page = _fill("page.html", filled)
    return page.encode("utf-8", "replace").decode("utf-8")  # names of files that are not Unicode cannot be encoded


def _run_sections(
    groups: Sequence[Group], timelines: Sequence[Timelines], chosen: Sequence[int], entries: Sequence[str], note: str
) -> dict[str, str]:
    """Name -> HTML of the sections on runs, without those that have nothing to show.

    `entries`: what `video_entries` gives of the videos with the indices `chosen`; `note`: a sentence on which they are.
    """
    first = groups[0].runs[0]
    index = {
        "groups": [g.name for g in groups],
        "streams": first.streams,
        "views": views_of(first.streams),
        "notes": [timeline.notes() for timeline in timelines],
        "videos": [_listed(timelines, video) for video in chosen],
    }
    scored = by_protocol(groups)
    filled = {
        "VIDEO_NOTE": escape(note),
        "INDEX": embedded(index),
        "VIDEOS": "\n".join(f'<script type="application/json" class="video">{entry}</script>' for entry in entries),
        "BROWSE": _browsing(),
    }
    sections = {
        "results": "".join(map(run_sections.results, scored)),
        "videos": _fill("videos.html", filled),
        "classes": _by_rules(run_sections.classes, scored),
        "errors": _by_rules(errors, scored),
        "training": run_sections.training(groups),
        "settings": run_sections.settings(groups),
    }
    return {
        name: f'<section id="{name}"><h2>{name.capitalize()}</h2>{body}</section>'
        for name, body in sections.items()
        if body
    }


def _listed(timelines: Sequence[Timelines], video: int) -> dict[str, Any]:
    """What the page sorts and filters a video by: its id, the classes of its ground truth, its score in every run."""
    first = timelines[0]
    return {
        "id": first.ids[video],
        "truth": list(first.truth(video)),
        "scores": [timeline.score(video) for timeline in timelines],
    }


def _by_rules(section: Callable[[ComparedGroups], str], scored: Sequence[ComparedGroups]) -> str:
    """A section about each set of groups, under a heading with the rules where there are several."""
    heads = [f"<h3>Under {rules(groups)}</h3>" if len(scored) > 1 else "" for groups in scored]
    return "".join(head + section(groups) for head, groups in zip(heads, scored, strict=True))


def colours() -> str:
    """The palette as the style sheet's variables, one value for the light page and one for the dark."""
    named = {
        "paper": palette.PAPER,
        "ink": palette.INK,
        "muted": palette.MUTED,
        "line": palette.GRID,
        **palette.TIMELINE,
    }
    named |= {f"c{i}": colour for i, colour in enumerate(palette.SERIES)}
    named |= {f"k{i}": colour for i, colour in enumerate(palette.KINDS.values())}
    return " ".join(f"--{name}: light-dark({colour.light}, {colour.dark});" for name, colour in named.items())


def _warnings(groups: Sequence[Group]) -> str:
    scored = by_protocol(groups)
    sentences = []
    if not scored:
        sentences.append(
            "No test video has annotated segments, so nothing could be scored. The timelines of the videos show what "
            "was detected."
        )
    if len(scored) > 1:
        sentences.append(
            "The runs were scored under different rules, so their figures cannot be compared; each set of rules has "
            "its own tables."
        )
    given: dict[str, list[str]] = {}
    for group in groups:
        for run in group.runs:
            for warning in explanation_of(run).evaluation.warnings if group.scored else ():
                given.setdefault(f"evaluation: {warning}.", []).append(str(run.folder))
            for warning in coverage(run.parts, run.config).warnings():
                given.setdefault(warning, []).append(str(run.folder))
    sentences += [f"{', '.join(runs)}: {warning}" for warning, runs in given.items()]
    return "".join(f'<p class="warning">{escape(sentence)}</p>' for sentence in sentences)


def _fill(template: str, filled: Mapping[str, str]) -> str:
    """The template with its markers replaced, in one pass: what is filled in is never read for further markers."""
    return re.sub(r"<!--([A-Z_]+)-->|/\*([A-Z_]+)\*/", lambda m: filled[m[1] or m[2]], _template(template))


def _facts(groups: Sequence[Group]) -> str:
    count = sum(len(group.runs) for group in groups)
    number = f"{count}, of {counted(len(groups), 'configuration')}" if count > 1 else "1"
    return f'<dl class="facts">{facts(groups[0].runs[0].data, "runs", number)}</dl>'


def _style() -> str:
    return f":root {{ {colours()} }}\n{_template('page.css')}"


def _browsing() -> str:
    return f"{_template('browse.js')}\n{_template('timeline.js')}"


def _hashes(*contents: str) -> str:
    """What of a page's own scripts or styles its content security policy allows: these, and nothing that got in."""
    digests = (hashlib.sha256(content.encode()).digest() for content in contents)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _template(name: str) -> str:
    return (files("amsx.report") / "template" / name).read_text(encoding="utf-8")
