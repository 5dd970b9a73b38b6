"""Quantities keep their value on the way from text to number and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metagen_jax.spec import units

WHOLE = st.one_of(st.integers(0, 10**15), st.builds(lambda n, e: n * 10**e, st.integers(0, 999), st.integers(0, 12)))
POSITIVE = st.floats(1e-6, 1e12, allow_nan=False)


@given(WHOLE)
def test_counts_and_memory_read_back_exactly(number):
    assert units.parse_count(units.format_count(number)) == number
    assert units.parse_bytes(units.format_bytes(number)) == number


@given(POSITIVE)
def test_durations_and_rates_read_back_to_the_same_float(number):
    assert units.parse_duration_ms(units.format_duration_ms(number)) == number
    assert units.parse_latency_ms(units.format_duration_ms(number)) == number
    assert units.parse_rate_per_s(units.format_rate_per_s(number)) == number


@given(st.integers(1, 999), st.sampled_from(sorted(units.BYTE_UNITS)))
def test_a_space_before_the_unit_changes_nothing(number, unit):
    assert units.parse_bytes(f"{number} {unit}") == units.parse_bytes(f"{number}{unit}")


@given(st.text(max_size=12) | st.from_regex(r"-?[0-9.]{1,4} ?(fps|FPS|ms|B|GB|k)", fullmatch=True))
def test_any_text_is_read_or_refused_with_a_remedy(text):
    for parse in (units.parse_count, units.parse_bytes, units.parse_latency_ms, units.parse_rate_per_s):
        try:
            assert parse(text) >= 0
        except units.UnitError as error:
            assert error.remedy.startswith("Write ")


def test_the_same_letter_means_what_the_field_means_by_it():
    assert units.parse_count("8k") == 8000
    assert units.parse_context_window("8k") == 8192
    assert units.parse_count("7B") == 7_000_000_000
    assert units.parse_bytes("7B") == 7
    assert units.parse_duration_ms("10m") == 600_000
    assert units.parse_bytes("1.5GB") == 1_500_000_000
    assert units.parse_latency_ms("real-time") == units.parse_latency_ms("30fps") == pytest.approx(33.33, abs=0.01)
    assert units.parse_latency_ms("0.5fps") == units.parse_duration_ms("2s") == 2000


@pytest.mark.parametrize(
    ("parse", "text", "remedy"),
    [
        (units.parse_count, "50m", "Write 50M."),
        (units.parse_count, "1.5K", "Write 1.5k."),
        (units.parse_count, "7b", "Write 7B."),
        (units.parse_context_window, "8K", "Write 8k."),
        (units.parse_bytes, "12gb", "Write 12GB."),
        (units.parse_bytes, "12gib", "Write 12GiB."),
        (units.parse_duration_ms, "10Ms", "Write 10ms."),
        (units.parse_duration_ms, "2S", "Write 2s."),
        (units.parse_latency_ms, "Real Time", "Write real-time."),
        (units.parse_latency_ms, "30Fps", "Write 30fps."),
        (units.parse_latency_ms, "10MS", "Write 10ms."),
        (units.parse_rate_per_s, "30FPS", "Write 30fps."),
        (units.parse_rate_per_s, "500/S", "Write 500/s."),
    ],
)
def test_a_wrong_letter_case_is_refused_with_the_right_one(parse, text, remedy):
    with pytest.raises(units.UnitError) as caught:
        parse(text)
    assert caught.value.remedy == remedy


@pytest.mark.parametrize(
    "text", ["", " ", "k", "ten", "1e3", "1,000", "--1", "1.", ".5", "5 0", "٣", "5k5", "0x10k", "∞"]
)
def test_nonsense_is_refused_as_a_count(text):
    with pytest.raises(units.UnitError):
        units.parse_count(text)
