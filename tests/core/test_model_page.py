"""The page of a model in a notebook."""

import ast
from dataclasses import replace

from tfspark.features import FeatureSpec
from tfspark.model_page import line_to_copy
from tfspark.package import load
from tfspark.signature import Signature, TensorSpec


def test_the_page_shows_inputs_outputs_and_a_line_to_copy(linear_model):
    package = load(linear_model)
    page = package._repr_html_()
    assert "<td>inputs</td><td>float32</td><td>(None, 2)</td><td>array&lt;float&gt;</td>" in page
    assert "<td>outputs</td><td>float32</td><td>(None, 1)</td><td>float</td>" in page
    assert "feed={&#x27;inputs&#x27;: &#x27;inputs&#x27;}" in page
    assert package.digest[:12] in page


def test_the_line_to_copy_names_features():
    feature = FeatureSpec("age", "float32", (), is_required=True)
    examples = TensorSpec("examples", "string", (None,), features=(feature,))
    line = line_to_copy("m", Signature("serving_default", (examples,), ()))
    assert "feed={'examples.age': 'age'}" in line


def test_names_from_a_model_cannot_write_html_or_code(linear_model):
    name = "<script>alert('x')</script>\n\"&'"
    spec = TensorSpec(name, "float32", (None,))
    signature = Signature(name, (spec,) * 60, (spec,))
    package = replace(load(linear_model), signature=signature, source=name, name=name)
    page = package._repr_html_()
    assert "<script" not in page
    assert "\n" not in page
    assert "and 10 more" in page
    assert ast.parse(line_to_copy(name, signature))
