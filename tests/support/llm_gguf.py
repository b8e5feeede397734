"""Tiny GGUF files, written on the spot."""

import json
from pathlib import Path

import numpy as np

from llm_backend.tiny import random_llama, tiny_tokenizer

LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
HEADS, WIDTH, INNER, LAYERS, ROOM = 2, 32, 64, 2, 128
TEXTS = ["Say yes or no.", "user assistant yes no"]


def write_gguf(path: Path, architecture: str = "llama", without: str = "", quantised: bool = False):
    """A random Llama with its tokenizer as a GGUF file at `path`; returns (model, tokenizer).

    `without` leaves out the tensor of that GGUF name; `quantised` writes the linear layers as Q8_0.
    """
    import gguf

    tokenizer = tiny_tokenizer(TEXTS, 90)
    model = random_llama(len(tokenizer), WIDTH, INNER, LAYERS, ROOM, HEADS, spread=0.2)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_context_length(ROOM)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(tokenizer))
    _add_tokenizer(writer, tokenizer, gguf.TokenType)
    for name, tensor in _tensors(model):
        if name == without:
            continue
        if quantised and tensor.ndim == 2:
            q8 = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quantize(tensor, q8), raw_dtype=q8)
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model.eval(), tokenizer


def _add_tokenizer(writer, tokenizer, kinds) -> None:
    words = sorted(tokenizer.get_vocab().items(), key=lambda word: word[1])
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([word for word, _ in words])
    special = set(tokenizer.all_special_ids)
    writer.add_token_types([kinds.CONTROL if i in special else kinds.NORMAL for _, i in words])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_unk_token_id(tokenizer.unk_token_id)
    writer.add_add_bos_token(True)
    writer.add_chat_template(tokenizer.chat_template)


def _tensors(model):
    """(GGUF name, float32 array) of every weight, with queries and keys in the order of llama.cpp."""
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    yield "token_embd.weight", weights["model.embed_tokens.weight"]
    for layer in range(LAYERS):
        for short, long in LAYER.items():
            tensor = weights[f"model.layers.{layer}.{long}.weight"]
            if short in ("attn_q", "attn_k"):
                halves = tensor.reshape(HEADS, 2, tensor.shape[0] // HEADS // 2, tensor.shape[1])
                tensor = np.ascontiguousarray(halves.swapaxes(1, 2).reshape(tensor.shape))
            yield f"blk.{layer}.{short}.weight", tensor
    yield "output_norm.weight", weights["model.norm.weight"]
    yield "output.weight", weights["lm_head.weight"]
