"""The table of modules in the design note, compared with the layers and the docstrings."""

from tools import module_table


def test_the_table_of_modules_agrees_with_the_layers_and_the_docstrings():
    written = module_table.README.read_text("utf-8")
    assert written == module_table.page(), "run: python tools/module_table.py"


def test_every_module_appears_once_with_its_purpose_and_place():
    names = [name for name, _, _ in module_table.modules()]
    assert len(names) == len(set(names))
    assert names[0] == "foreign_text"
    assert names.index("spark/") + 1 == names.index("spark/cluster/")
    assert names.index("testing/") + 1 == names.index("cli/")
