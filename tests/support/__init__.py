"""Helpers of the tests: oracles, tables, toy models, and scripts that run in processes of their own."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # where scripts run, as `python -m tests.support.NAME`
