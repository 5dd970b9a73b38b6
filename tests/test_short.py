"""What `make test` leaves out is there."""

import ast

import pytest

from tests.runs import ROOT
from tests.short import FURTHER


@pytest.mark.parametrize("file", FURTHER)
def test_the_further_tests_of_a_file_are_in_it(file: str):
    functions = {each.name for each in ast.parse((ROOT / file).read_text()).body if isinstance(each, ast.FunctionDef)}
    assert {name.partition("[")[0] for name in FURTHER[file]} <= functions
