"""The page of experiments/diffusion/ holds what the stored results say."""

import json

from experiments.diffusion import page


def test_the_page_is_that_of_the_stored_results():
    stored = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == page.page(stored), "stale: run python experiments/diffusion/page.py"
