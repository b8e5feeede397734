"""One version, in the package and in its metadata."""

import tomllib

import pgames
from pgames.version import __version__
from tests.support import ROOT


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__ == pgames.__version__
