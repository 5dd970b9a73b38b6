"""What is the image worth to a network that writes captions? It is asked again with the images of other captions.

    python experiments/captions/run.py                 # runs specs/multimodal_captioning.yaml first
    python experiments/captions/run.py --run FOLDER    # a run that there is already

Prints bits per character of the test captions: with their own images, with those of the captions before them, and without
any, by counts of the training captions.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # wherever the script is started

from experiments.tasks.run import metagen  # noqa: E402
from metagen_jax.data import DescribedImageDataset, caption_bits_per_character, load_dataset  # noqa: E402
from metagen_jax.spec import load_spec  # noqa: E402

SPEC = ROOT / "specs" / "multimodal_captioning.yaml"
ORDERS = {"unigrams": 0, "bigrams": 1, "trigrams": 2, "5-grams": 4}
# Run in the folder of the project, which knows nothing of this package.
SCORE = """
import json
import numpy as np
from checkpoint import load_model
from data import DATA, HERE, load_split
from train import evaluate
model = load_model(HERE / "checkpoint")
images, tokens = load_split(DATA, "test")
asked = {"own images": images, "images of other captions": np.roll(images, 1, axis=0)}
print(json.dumps({name: evaluate(model, given, tokens)["loss"] / np.log(2) for name, given in asked.items()}))
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Asks what the image is worth to a network that writes captions.")
    parser.add_argument("--run", type=Path, help="a finished run of the spec (default: one is made)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        run = options.run
        if run is None:
            run = Path(folder) / "run"
            metagen(["automl", "--spec", str(SPEC)], run)
        for name, bits in (scores(run) | counts()).items():
            print(f"{name}: {bits:.3f} bits per character")


def scores(run: Path) -> dict[str, float]:
    """Of the winner, on the test captions, by the images that it is shown."""
    command = [sys.executable, "-c", SCORE]
    done = subprocess.run(command, cwd=run / "winner", capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def counts() -> dict[str, float]:
    """Of counts of characters of the training captions, which know nothing of images, on the test captions."""
    dataset = load_dataset(load_spec(SPEC))
    assert isinstance(dataset, DescribedImageDataset)
    return {name: caption_bits_per_character(dataset, before, "test") for name, before in ORDERS.items()}


if __name__ == "__main__":
    main()
