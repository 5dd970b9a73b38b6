"""What the experiments on searches share: their tasks, and how they are run side by side."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import jax

# Example specs, each with what it is given beside the steps of the experiment.
TASKS: dict[str, tuple[str, ...]] = {
    "image_digits_demo": (),
    "image_digits_cnn": (),
    "image_cnn_edge": ("data.max_examples=2000",),
    "image_vae": ("data.max_examples=2000",),
    "text_char_lm": (),
    "text_classification": ("search.prototype_steps=200",),  # before that hardly any has learnt anything
    "audio_classification": (),
    "video_classification": ("search.prototype_steps=150",),
}


def parse(description: str, results: Path, arguments: list[str] | None = None) -> argparse.Namespace:
    """`tasks`, `seeds`, `processes`, and the folder of `results`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS), help="(default: all)")
    parser.add_argument("--seeds", type=int, default=5, help="of each task (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="at the same time (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=results, help="folder for the JSON")
    return parser.parse_args(arguments)


def share_compilations(name: str) -> None:
    """Keeps what is compiled for the other processes of an experiment, and for the next time."""
    folder = Path(tempfile.gettempdir()) / f"metagen_jax_experiments_{name}"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def say(*words: Any) -> None:
    """Tells how far it is, and leaves the output to the figures."""
    print(*words, file=sys.stderr, flush=True)
