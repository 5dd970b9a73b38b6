"""Runs the main example and puts what it prints, draws and generates into README.md and docs/assets.

python scripts/update_readme.py
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "docs" / "assets"
SPEC = "specs/image_vit_classification.yaml"


def replace(text: str, name: str, content: str) -> str:
    pattern = rf"(update_readme.py: {name} -->\n```\w+\n).*?(```)"
    return re.sub(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, count=1, flags=re.S)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "metagen_jax.automl", "--spec", SPEC, "--out", str(out)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            # What a newcomer sees: nothing compiled, nothing remembered; the portfolio is there.
            env=os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false", "XDG_DATA_HOME": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        printed = done.stdout.replace(str(out), "runs/image_vit_classification").strip()
        for figure in (out / "figures").iterdir():
            shutil.copy(figure, ASSETS / figure.name)
        model = (out / "winner" / "model.py").read_text()
    (ASSETS / "output.txt").write_text(printed + "\n")
    feed_forward = re.search(r"class FeedForward.*?(?=\n\n\nclass )", model, re.S)
    assert feed_forward is not None
    readme = (ROOT / "README.md").read_text()
    readme = replace(readme, "output", f"$ python -m metagen_jax.automl --spec {SPEC}\n{printed}")
    (ROOT / "README.md").write_text(replace(readme, "code", feed_forward[0]))


if __name__ == "__main__":
    main()
