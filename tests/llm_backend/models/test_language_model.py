"""The models and tokenizers that a LanguageModel accepts."""

import numpy as np
import pytest

from llm_backend import LanguageModel
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import BASE
from tests.support.llm_oracles import rows
from tests.support.llm_tiny import tiny_lm, tiny_model, tiny_tokenizer


def test_models_that_do_not_fit_are_refused():
    from transformers import CohereConfig, CohereForCausalLM

    tokenizer = tiny_tokenizer()
    scaled = CohereForCausalLM(
        CohereConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            logit_scale=0.25,
        )
    )
    with pytest.raises(ValueError, match="more than a linear map"):
        LanguageModel(scaled, tokenizer)
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="no EOS"):
        LanguageModel(tiny_model(14), tokenizer)
    with pytest.raises(ValueError, match="rank"):
        tiny_lm(lora=0)
    lm = tiny_lm()
    with pytest.raises(ValueError, match=r"context is 64: .*lower max_new_tokens"):
        score(lm, BASE, [[1] * 60], [[5] * 10])
    with pytest.raises(ValueError, match="at least one token each"):
        score(lm, BASE, [[1]], [[]])


def test_a_tokenizer_without_padding_does():
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = None
    lm = LanguageModel(tiny_model(len(tokenizer), spread=0.2), tokenizer)
    prompts, answers = rows(lm)
    np.testing.assert_allclose(score(lm, BASE, prompts, answers), score(tiny_lm(), BASE, prompts, answers))
