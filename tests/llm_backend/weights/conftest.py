"""The toy model in both forms of training."""

import pytest

from tests.support.llm_tiny import tiny_lm


@pytest.fixture(params=[8, None], ids=["lora", "full"])
def lm(request):
    return tiny_lm(lora=request.param)
