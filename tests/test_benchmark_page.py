"""The page of benchmark figures holds what the stored results say."""

import importlib.util

from tests.runs import ROOT


def test_the_page_is_what_the_stored_results_give():
    path = ROOT / "benchmarks" / "search" / "tables.py"
    spec = importlib.util.spec_from_file_location("tables", path)
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    assert tables.PAGE.read_text() == tables.page(), "stale: run python benchmarks/search/tables.py"
