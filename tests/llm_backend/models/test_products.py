"""Products of activations with weights: the numbers of PyTorch on every path, and its gradients."""

import pytest
import torch

from llm_backend.models import products


@pytest.mark.parametrize("rows", [3, 64, 129])
@pytest.mark.parametrize("sizes", [(256, 384), (300, 256), (96, 512)])
@pytest.mark.parametrize("biased", [True, False])
def test_products_are_those_of_pytorch(rows, sizes, biased):
    draw = torch.Generator().manual_seed(0)
    x, weight = torch.randn(rows, sizes[1], generator=draw), torch.randn(*sizes, generator=draw)
    bias = torch.randn(sizes[0], generator=draw) if biased else None
    slope = torch.randn(rows, sizes[0], generator=draw)
    torch.testing.assert_close(
        products.forward(x, weight, bias), torch.nn.functional.linear(x, weight, bias), rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(products.backward(slope, weight), slope @ weight, rtol=1e-5, atol=1e-4)


def test_a_product_that_is_differentiated_keeps_its_gradient():
    x, weight = torch.ones(64, 256, requires_grad=True), torch.ones(256, 256)
    products.forward(x, weight).sum().backward()
    assert x.grad is not None and bool((x.grad == 256).all())


def test_arrays_may_be_transposed_or_expanded():
    draw = torch.Generator().manual_seed(0)
    weight, turned = torch.randn(300, 256, generator=draw), torch.randn(256, 300, generator=draw).T
    for slope in (
        torch.randn(1, 300, generator=draw).expand(128, 300),
        torch.randn(300, 128, generator=draw).T,
    ):
        for each in (weight, turned):
            torch.testing.assert_close(products.backward(slope, each), slope @ each, rtol=1e-5, atol=1e-4)


def test_other_types_and_empty_rows_stay_with_pytorch():
    weight = torch.ones(256, 256, dtype=torch.bfloat16)
    assert products.forward(torch.ones(64, 256, dtype=torch.bfloat16), weight).dtype == torch.bfloat16
    assert products.forward(torch.ones(0, 256), torch.ones(256, 256)).shape == (0, 256)
