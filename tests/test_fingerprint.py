import copy
import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huse_bench.errors import ConfigError
from huse_bench.results import fingerprint

IDENTITY = {
    "method": {"name": "huse", "parameters": {"alpha": 1.0, "relaxation": "and", "sizes": [1, 2, 3]}},
    "seed": 0,
    "precise": True,
    "nothing": None,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_it_is_the_hash_of_the_text_that_the_documentation_promises():
    text = '{"a":[0.1,null,true],"b":"\\u00fc","c":1}'
    assert fingerprint({"c": 1, "b": "ü", "a": [0.1, None, True]}) == hashlib.sha256(text.encode()).hexdigest()


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_the_order_of_keys_does_not_matter(identity):
    assert fingerprint(identity) == fingerprint(dict(reversed(identity.items())))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("method", "name"), "huse-p"),
        (("method", "parameters", "alpha"), 1.0000000000000002),
        (("method", "parameters", "alpha"), 1),
        (("method", "parameters", "relaxation"), "or"),
        (("method", "parameters", "sizes"), [1, 3, 2]),
        (("method", "parameters", "new"), None),
        (("seed",), 1),
        (("seed",), "0"),
        (("precise",), False),
        (("nothing",), 0),
    ],
)
def test_each_field_changes_it(path, value):
    changed = copy.deepcopy(IDENTITY)
    part = changed
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert fingerprint(changed) != fingerprint(IDENTITY)


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ({"a": {"b": [1, math.nan]}}, r"cannot fingerprint a\.b\[1\]: nan is not a finite number"),
        ({"a": -math.inf}, "cannot fingerprint a: -inf is not a finite number"),
        ({"a": {"b": (1, 2)}}, r"cannot fingerprint a\.b: \(1, 2\) is a tuple, which is no JSON; use None, bool"),
        ({"a": {1: 2}}, "cannot fingerprint a: its key 1 is a int; use strings"),
    ],
)
def test_what_is_no_json_is_named(identity, message):
    with pytest.raises(ConfigError, match=message):
        fingerprint(identity)
