"""Are images of a label what their label says? A classifier that was trained apart looks at them.

    python experiments/diffusion/run.py                                  # runs specs/image_diffusion_pixel.yaml first
    python experiments/diffusion/run.py specs/image_diffusion_latent.yaml
    python experiments/diffusion/run.py --run FOLDER                     # a run of the spec that there is already

Writes a `.json` and a `.png` of the spec's name into results/; `python experiments/diffusion/page.py` makes README.md of
them. The classifier is the network that `experiments/tasks/by_hand.yaml` has for
`specs/image_cnn_classification.yaml`, trained on the same training images.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # wherever the script is started

from experiments.provenance import provenance  # noqa: E402
from experiments.tasks.run import BY_HAND, metagen  # noqa: E402

HERE = Path(__file__).parent
PIXELS, CLASSIFIER = ROOT / "specs/image_diffusion_pixel.yaml", ROOT / "specs/image_cnn_classification.yaml"
SAMPLES, GUIDANCES = 100, (1.0, 2.0)  # images of each label
# Run in the folders of the two projects, which know nothing of this package.
DRAW = """
import sys
import numpy as np
from checkpoint import load_model
from data import HERE, load_names
from infer import as_bytes, draw_label
samples, guidance, out = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
model, labels = load_model(HERE / "checkpoint"), range(len(load_names()))
np.save(out, np.stack([as_bytes(draw_label(model, label, samples, guidance=guidance)) for label in labels]))
"""
NAME = """
import sys
import numpy as np
from checkpoint import load_model
from data import HERE
from infer import predict
model = load_model(HERE / "checkpoint")
np.save(sys.argv[2], np.stack([predict(model, images).argmax(-1) for images in np.load(sys.argv[1])]))
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Has a classifier look at images that were drawn from their labels.")
    parser.add_argument("spec", type=Path, nargs="?", default=PIXELS, help="what is run (default: %(default)s)")
    parser.add_argument("--run", type=Path, help="a finished run of the spec (default: one is made)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="images of each label (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for what is written")
    options = parser.parse_args(arguments)
    options.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(Path(folder), options)
    result = {**provenance("experiments/diffusion/run.py", "two cores", 0), **measured}
    path = options.results / f"{options.spec.stem}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(path)


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    run, seconds = options.run, None
    if run is None:
        run = folder / "run"
        seconds = round(metagen(["automl", "--spec", str(options.spec.resolve())], run), 1)
    judge = folder / "judge"
    by_hand = f"architecture.choices={json.dumps(BY_HAND[CLASSIFIER.stem])}"
    metagen(["synth", str(CLASSIFIER), "--set", by_hand], judge)
    shutil.copy(run / "figures" / "pictures.png", options.results / f"{options.spec.stem}.png")
    recognised = {str(each): share_of_labels(folder, run, judge, options.samples, each) for each in GUIDANCES}
    winner, classifier = (json.loads((each / "result.json").read_text(encoding="utf-8")) for each in (run, judge))
    return {
        "seconds": seconds,
        "validation": winner["winner"]["validation"],
        "test": winner["winner"]["test"],
        "baselines": winner["baselines"],
        "params": winner["winner"]["params"],
        "sizes": winner["winner"]["sizes"],
        "classifier": classifier["winner"]["test"],
        "samples_of_each_label": options.samples,
        "recognised_by_guidance": recognised,
    }


def share_of_labels(folder: Path, run: Path, judge: Path, samples: int, guidance: float) -> dict[str, Any]:
    """Of images of each label, and of all, how many the classifier names by that label."""
    images, answers = folder / "images.npy", folder / "answers.npy"
    in_project(run, DRAW, samples, guidance, images)
    in_project(judge, NAME, images, answers)
    named = np.load(answers)  # (labels, samples)
    shares = (named == np.arange(len(named))[:, None]).mean(axis=1)
    print(f"guidance {guidance:g}: {shares.mean():.3f} recognised, by label {np.round(shares, 2).tolist()}", flush=True)
    return {"all": float(shares.mean()), "by_label": shares.tolist()}


def in_project(run: Path, code: str, *arguments: object) -> None:
    """Runs a few lines in the project of a run's winner."""
    program = [sys.executable, "-c", code, *map(str, arguments)]
    subprocess.run(program, check=True, cwd=(run / "winner").resolve())


if __name__ == "__main__":
    main()
