"""Whatever a file holds, its reader gives a value or says what is wrong: valid files made wrong, and any bytes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated
from run_atheris import READERS
from targets import TARGETS, run, tidy

#: Examples of a target; checking a bundle takes some tenths of a second.
EXAMPLES = {
    "record": 40,
    "bundle zip": 20,
    **dict.fromkeys((name for name in TARGETS if name.startswith("forged")), 12),
}


@pytest.fixture(scope="module", autouse=True)
def _files():
    yield
    tidy()


@pytest.mark.parametrize("name", TARGETS)
def test_a_valid_file_is_read(name):
    for seed in TARGETS[name].seeds():
        assert run(name, seed) is None


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_made_wrong_is_read_or_refused(name):
    seeds = TARGETS[name].seeds()

    # A number, so that a failure can be had again: run(name, mutated(seed, random.Random(number))).
    @settings(max_examples=EXAMPLES.get(name, 60), deadline=None)
    @given(seed=st.sampled_from(seeds), number=st.integers(0, 2**32))
    def made_wrong(seed, number):
        run(name, mutated(seed, random.Random(number)))

    made_wrong()


@pytest.mark.parametrize("name", [name for name in TARGETS if not name.startswith("forged")])
def test_any_bytes_are_read_or_refused(name):
    @settings(max_examples=15, deadline=None)
    @given(contents=st.binary(max_size=200))
    def any_bytes(contents):
        run(name, contents)

    any_bytes()


def test_what_atheris_is_given_is_there():
    assert set(READERS) <= TARGETS.keys()
