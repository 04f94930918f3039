"""For tools that need this file; all settings are in pyproject.toml."""

from setuptools import setup

setup()
