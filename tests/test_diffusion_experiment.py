"""The page of experiments/diffusion/ holds what the stored results say."""

from experiments.diffusion import page


def test_the_page_is_that_of_the_stored_results():
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.page(page.stored()), "stale: run python experiments/diffusion/page.py"
