"""A causal model as judge."""

import numpy as np
import pytest
import torch

from llm_backend import judges
from llm_backend.judges import JudgeError
from tests.support.classifiers import classifier, tokenizer_of
from tests.support.judged import assert_preference, table
from tests.support.llm_tiny import tiny_model


@pytest.mark.parametrize("per_token", [False, True])
def test_log_prob_judge_is_the_chain_rule(per_token):
    tokenizer = tokenizer_of()
    model = tiny_model(len(tokenizer))
    judge = judges.LogProb(model, tokenizer, per_token=per_token, chat=False, batch=2)
    responses = ["rock", "paper scissors rock", ""]
    expected = []
    for response in responses:
        head = tokenizer("a")["input_ids"]
        tail = [*tokenizer(response, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([head + tail])).logits[0].double(), -1)
        total = sum(logs[len(head) - 1 + k, token].item() for k, token in enumerate(tail))
        expected.append(total / len(tail) if per_token else total)
    np.testing.assert_allclose(judge.scores(["a"] * 3, responses), expected, atol=1e-5)
    assert_preference(table(judge, responses=responses))


def test_log_prob_judge_asked_for_a_or_b():
    tokenizer = tokenizer_of()
    model = tiny_model(len(tokenizer))
    question = "{prompt} a {first} b {second}"
    judge = judges.LogProb(model, tokenizer, question, answers=("a", "b"))
    P = table(judge)
    assert_preference(P)

    def odds(y, z):
        text = f"<bos> user a a {y} b {z} <eos> assistant "
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logs = torch.log_softmax(model(ids).logits[0, -1], -1)[
                tokenizer.convert_tokens_to_ids(["a", "b"])
            ]
        return torch.softmax(logs, 0)[0].item()

    expected = (odds("rock", "paper") + 1 - odds("paper", "rock")) / 2
    assert P[0, 2] == pytest.approx(expected, abs=1e-6) and abs(expected - 0.5) > 1e-4
    with pytest.raises(ValueError, match="two different single tokens"):
        judges.LogProb(model, tokenizer, question, answers=("a b", "b"))
    with pytest.raises(ValueError, match=r"LogProb: question has a field other than .*'other'"):
        judges.LogProb(model, tokenizer, "{first} or {other}?", answers=("a", "b"))
    with pytest.raises(JudgeError, match="cannot read"):
        judge.prefer(["a"], ["rock " * 60], ["paper"])


def test_a_judge_that_padding_changes_is_refused():
    """RWKV reads the padding on the left as tokens."""
    from transformers import RwkvConfig, RwkvForCausalLM

    tokenizer = tokenizer_of()
    size = {"vocab_size": len(tokenizer), "hidden_size": 16, "attention_hidden_size": 16}
    with pytest.raises(ValueError, match=r"RwkvForCausalLM.* the rows beside") as error:
        judges.LogProb(RwkvForCausalLM(RwkvConfig(**size, num_hidden_layers=2)), tokenizer)
    assert "\n" not in str(error.value)


def test_the_pad_id_of_a_judge_is_never_looked_at():
    tokenizer, other = tokenizer_of(), tokenizer_of()
    other.add_tokens(["<filler>"])
    other.pad_token = "<filler>"  # a token that neither model has
    asked = (["a", "b a b"], ["rock", "paper rock"])
    model = tiny_model(len(tokenizer))
    expected = judges.LogProb(model, tokenizer).scores(*asked)
    np.testing.assert_array_equal(judges.LogProb(model, other).scores(*asked), expected)
    rated = judges.RewardModel(classifier(tokenizer), tokenizer).scores(*asked)
    odd = classifier(tokenizer)
    odd.config.pad_token_id = len(tokenizer)
    np.testing.assert_allclose(judges.RewardModel(odd, other).scores(*asked), rated, atol=1e-6)


def test_a_judge_reads_up_to_the_switch_of_longrope():
    from transformers import Phi3Config, Phi3ForCausalLM

    tokenizer = tokenizer_of()
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 12}
    rope |= {"short_factor": [1.0] * 4, "long_factor": [4.0] * 4, "factor": 4.0}
    size = {"vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    size |= {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 48}
    size |= {"original_max_position_embeddings": 12, "pad_token_id": 0}
    judge = judges.LogProb(Phi3ForCausalLM(Phi3Config(**size, rope_parameters=rope)), tokenizer, chat=False)
    judge.scores(["a"], ["rock " * 9])
    with pytest.raises(JudgeError, match="cannot read 13 tokens, only 12"):
        judge.scores(["a"], ["rock " * 10])
