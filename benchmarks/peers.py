"""Accuracy against speed on BANKING77, beside what else one would use on a CPU, measured in one run.

Run ``python -m benchmarks.peers FOLDER [--others PYTHON]`` (`benchmarks.quality` says where the set is had). ``PYTHON``
is the interpreter of an environment with SetFit and fastText (`benchmarks.other_peers` says how to make it). Each
system runs in a process of its own, one after another, on the whole training split and on 10 examples per label. Ours
is timed with calibration and thresholds, peers without, for they have none. Writes results/peers.json and
docs/peers.svg.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import altair
import vl_convert

from benchmarks import machine, refuse_slow_blas

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "peers.json"
CHART = HERE.parent / "docs" / "peers.svg"
OWN = {
    "tfidf_svc": "TF-IDF + linear SVC",
    "logistic": "MiniLM + logistic regression",
    "fast": "paretodesk fast",
    "accurate": "paretodesk accurate",
}
OTHERS = {"fasttext": "fastText", "setfit": "SetFit on MiniLM"}
SHOTS = {0: "whole split", 10: "10 per label"}


def main() -> None:
    """Measure each, print and write the figures and the chart."""
    refuse_slow_blas()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--others", type=Path, help="interpreter of an environment with SetFit and fastText")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"machine": machine()}
    for shots, what in SHOTS.items():
        runs = [(sys.executable, "own_peers.py", key, name) for key, name in OWN.items()]
        if arguments.others:
            runs += [(str(arguments.others), "other_peers.py", key, name) for key, name in OTHERS.items()]
        for python, script, key, name in runs:
            command = [python, str(HERE / script), key, str(arguments.folder), str(shots)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr[-2000:]}")
            figures.setdefault(what, {})[name] = json.loads(done.stdout.strip().splitlines()[-1])
            print(what, name, json.dumps(figures[what][name]), flush=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    CHART.write_text(chart(figures), encoding="utf-8")


def chart(figures: dict[str, Any]) -> str:
    """Accuracy over throughput as SVG, one panel per amount of training data."""
    rows = [
        {"system": name, "data": what, **values}
        for what in SHOTS.values()
        for name, values in figures.get(what, {}).items()
    ]
    base = altair.Chart(altair.Data(values=rows)).encode(
        x=altair.X(
            "texts_per_s_median:Q",
            scale=altair.Scale(type="log"),
            axis=altair.Axis(values=[100, 1_000, 10_000, 100_000], format=","),
            title="texts per second, two cores",
        ),
        y=altair.Y("accuracy:Q", scale=altair.Scale(zero=False), title="accuracy on the test split"),
    )
    points = base.mark_point(filled=True, size=90).encode(
        color=altair.Color(
            "system:N",
            scale=altair.Scale(scheme="dark2"),
            legend=altair.Legend(orient="bottom", columns=3, title=None),
        )
    )
    panels = points.properties(width=320, height=260).facet(column=altair.Column("data:N", title=None))
    return str(vl_convert.vegalite_to_svg(panels.resolve_scale(y="independent").to_json()))


if __name__ == "__main__":
    main()
