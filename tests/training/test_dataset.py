import pyarrow as pa

from eilev.ids import ById, Ids
from eilev.inputs.episode import EpisodeFormat
from eilev.inputs.interleave import interleave
from eilev.inputs.tokenizer import train_word_codec
from eilev.inputs.turns import Turn
from eilev.schema import EPISODES
from eilev.training.dataset import EpisodeDataset

SENTENCES = {name: f"The camera wearer cuts the {name}." for name in ("onion", "bread", "pan")}
PROMPTS = ("Answer:", "Say:", "Tell:")
CODEC = train_word_codec([*SENTENCES.values(), *PROMPTS, "The camera wearer opens the drawer."])


def episodes(**changes):
    row = {
        "query": "pan",
        "context": ["onion", "bread"],
        "shots": 2,
        "phase": "contexts",
        "epoch": 0,
        "kind": "bursty",
        "meaning": "natural",
        "narrations": None,
    }
    return pa.Table.from_pylist([row | changes], schema=EPISODES)


def make(table, prompts=("Answer:",), seed=0, **changes):
    options = {"num_query_tokens": 2, "encoder_decoder": False, "loss_on": "all"}
    narrations = ById(Ids(SENTENCES), pa.array([*SENTENCES.values()]))
    return EpisodeDataset(
        table, narrations, EpisodeFormat(CODEC, prompts=prompts, **options | changes), seed
    )


def laid_out(*narrations):
    turns = [Turn("Answer:", narration) for narration in narrations]
    return interleave(turns, CODEC, 2, encoder_decoder=False, loss_on="all")


def test_an_episode_is_its_context_in_order_then_the_query():
    (item,) = make(episodes())
    assert item.clip_ids == ("onion", "bread", "pan")
    assert item.layout == laid_out(*(SENTENCES[name] for name in ("onion", "bread", "pan")))


def test_an_episode_may_bring_its_own_words():
    own = [SENTENCES["pan"], SENTENCES["pan"], SENTENCES["onion"]]
    (item,) = make(episodes(narrations=own, meaning="permuted"))
    assert item.layout == laid_out(*own)


def test_the_query_is_left_for_the_model_to_narrate():
    (item,) = make(episodes(), generating=True)
    assert item.layout == laid_out(SENTENCES["onion"], SENTENCES["bread"], None)


def test_without_shots_there_is_only_the_query():
    (item,) = make(episodes(context=[], shots=0))
    assert item.clip_ids == ("pan",)
    assert item.layout == laid_out(SENTENCES["pan"])


def test_prompts_are_drawn_per_clip_and_depend_on_seed_epoch_and_row():
    table = pa.concat_tables([episodes(epoch=epoch) for epoch in range(8)])
    drawn = [item.layout.input_ids for item in make(table, PROMPTS)]
    assert drawn == [item.layout.input_ids for item in make(table, PROMPTS)]
    assert drawn != [item.layout.input_ids for item in make(table, PROMPTS, seed=1)]
    assert len({tuple(ids) for ids in drawn}) > 3
    prompts = {CODEC.encode(prompt)[0] for prompt in PROMPTS}
    assert any(len(prompts & set(ids)) > 1 for ids in drawn)
