import dataclasses
import pickle
from pathlib import Path
from typing import get_args

import pytest

from tfspark import options
from tfspark.engine.registry import AUTO, ENGINES, packages_of
from tfspark.errors import UsageError
from tfspark.options import DEFAULTS, ColumnKeywords, EngineName, ScoreKeywords, ScoreOptions

PACKAGE = Path(options.__file__).parent
README = PACKAGE / "README.md"


def test_keywords_and_options_are_the_same():
    fields = {field.name: field.type for field in dataclasses.fields(ScoreOptions)}
    keywords = {name: hint.__forward_arg__ for name, hint in ColumnKeywords.__annotations__.items()}
    assert keywords == fields


def test_options_are_frozen_and_travel():
    chosen = ScoreOptions.of({"on_null": {"x": 1.0}, "batch_size": 5})
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    with pytest.raises(dataclasses.FrozenInstanceError):
        chosen.batch_size = 6


def test_what_is_left_out_has_its_default():
    assert ScoreOptions.of({}) == DEFAULTS
    assert ScoreOptions.of({"narrow": True}) == ScoreOptions(narrow=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"engine": "nativ"}, "engine does not accept 'nativ'. Did you mean 'native'?"),
        ({"distribute": "send"}, "distribute does not accept 'send'"),
        ({"strings": "bytes"}, "strings does not accept 'bytes'"),
        ({"on_null": "nul"}, "on_null does not accept 'nul'. Did you mean 'null'?"),
        ({"on_null": None}, "on_null does not accept None"),
        ({"on_null": {"x": None}}, "on_null does not accept"),
        ({"allow_ops": "ReadFile"}, "allow_ops has an invalid value"),
        ({"on_error": "nul"}, "on_error does not accept 'nul'. Did you mean 'null'?"),
        ({"on_error": "null", "reason": ""}, "reason has an invalid value"),
        ({"reason": "why"}, 'add on_error="null"'),
        ({"batch_size": 0}, "The batch size must be at least 1."),
        ({"batch_size": 1.5}, "The batch size must be at least 1."),
        ({"timeout": 0}, "timeout has an invalid value"),
        ({"timeout": "10"}, "timeout has an invalid value"),
        ({"timeout": 10, "engine": "jvm"}, "cannot end a call of a model"),
        ({"batchsize": 1}, "There is no option 'batchsize'. Did you mean 'batch_size'?"),
    ],
)
def test_what_an_option_does_not_take_is_refused_at_once(given, words):
    with pytest.raises(UsageError) as caught:
        ScoreOptions.of(given)
    assert words in str(caught.value)


def test_an_rdd_takes_no_narrow():
    with pytest.raises(UsageError, match="no option 'narrow'"):
        ScoreOptions.of({"narrow": True}, ScoreKeywords)


# --- engines --------------------------------------------------------------------------------------


def test_every_engine_of_the_workers_has_one_entry():
    assert {"auto", *ENGINES} == set(get_args(EngineName))
    assert set(AUTO) <= set(ENGINES)
    assert packages_of("auto") == frozenset({"tensorflow"})
    assert packages_of("openvino") == frozenset({"openvino"})
    assert packages_of("jvm") == frozenset()


def test_the_options_tell_of_every_engine():
    for name in options.ENGINES:
        assert f"`{name}`" in (ScoreOptions.__doc__ or "")


@pytest.mark.parametrize("name", ENGINES)
def test_the_readme_tells_what_an_engine_needs(name):
    entry = ENGINES[name]
    place = f"engine/{name}/" if (PACKAGE / "engine" / name).is_dir() else f"engine/{name}.py"
    row = f"| `{name}` | `{place}` | `{entry.package}` | {entry.cannot_serve} |"
    assert row in README.read_text()
