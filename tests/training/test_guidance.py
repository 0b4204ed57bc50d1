import pytest
import torch

from eilev.training.guidance import earlier_mentions, guidance_loss, own_clip

# Two clips of two placeholders (0) and their narrations: v v 5 6 v v 5 7, then v v 5 6 and padding.
IDS = torch.tensor([[0, 0, 5, 6, 0, 0, 5, 7], [0, 0, 5, 6, 0, 0, 0, 0]])
VIDEO = torch.tensor([[1, 1, 0, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]])
SEEN = torch.tensor([[1] * 8, [1] * 4 + [0] * 4])
TELLING = torch.tensor([False] * 6 + [True] * 2)


def where(mask):
    return mask.nonzero().tolist()


def test_a_token_belongs_to_the_clip_before_it():
    routes = own_clip(VIDEO.bool())
    assert where(routes[0, 3]) == [[0], [1]]
    assert where(routes[0, 6]) == [[4], [5]]


def test_a_token_before_any_clip_has_none():
    assert not own_clip(torch.tensor([[False, True, False]]))[0, 0].any()


def test_only_telling_tokens_that_were_said_before_are_looked_up():
    ids = torch.tensor([[5, 6, 5, 6, 5, 7, 5]])
    found = earlier_mentions(ids, torch.ones_like(ids, dtype=torch.bool), TELLING)
    # Position 2 comes before the second 6, said at 1; 5 is not telling, 7 is new.
    assert where(found[0]) == [[2, 1]]


def test_padding_and_placeholders_are_never_looked_up():
    ids = torch.tensor([[6, 5, 6, 6]])
    text = torch.tensor([[True, True, True, False]])
    assert where(earlier_mentions(ids, text, TELLING)[0]) == [[1, 0]]
    assert not earlier_mentions(ids, torch.tensor([[False, True, True, True]]), TELLING)[0, 1].any()


def attention(*masks):
    """Layers of two heads; the first looks where the mask says, the second at itself."""
    layers = []
    for mask in masks:
        rows = mask.float() + torch.eye(mask.shape[-1]) * ~mask.any(-1, keepdim=True)
        guided = rows / rows.sum(-1, keepdim=True)
        layers.append(torch.stack([guided, torch.eye(8).expand(2, 8, 8)], dim=1))
    return layers


@pytest.fixture
def wanted():
    text = SEEN.bool() & ~VIDEO.bool()
    ids = IDS.clone()
    ids[0, 7] = 6  # the second clip's word has been said of the first
    return ids, own_clip(VIDEO.bool()) & text[:, :, None], earlier_mentions(ids, text, TELLING)


def test_the_loss_is_zero_where_guided_heads_look_right(wanted):
    ids, routes, sources = wanted
    loss = guidance_loss(attention(routes, sources), ids, SEEN, VIDEO, TELLING)
    assert loss.tolist() == pytest.approx([0.0, 0.0], abs=1e-4)


def test_looking_elsewhere_costs_and_the_gradient_says_where_to_look(wanted):
    ids, routes, sources = wanted
    scores = torch.zeros(2, 2, 8, 8, requires_grad=True)
    free = scores.softmax(-1)
    loss = guidance_loss([attention(routes)[0], free], ids, SEEN, VIDEO, TELLING)
    # The second episode has nothing to look up.
    assert loss.tolist() == pytest.approx([torch.log(torch.tensor(8.0)).item(), 0.0], abs=1e-4)
    loss.sum().backward()
    row = scores.grad[0, 0, 6]
    assert row[3] < 0  # more attention to the earlier mention
    assert (row[sources[0, 6].logical_not()] > 0).all()
    assert not scores.grad[:, 1].any()  # the second half of the heads is free


def test_an_episode_without_mentions_costs_only_its_routes():
    routes = own_clip(VIDEO.bool()) & (SEEN.bool() & ~VIDEO.bool())[:, :, None]
    layers = attention(routes, torch.zeros_like(routes))
    loss = guidance_loss(layers, IDS, SEEN, VIDEO, TELLING)
    assert loss.tolist() == pytest.approx([0.0, 0.0], abs=1e-4)
