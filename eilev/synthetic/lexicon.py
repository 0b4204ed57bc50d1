"""Words of the synthetic kitchen: its verb and noun classes with their synonyms.

A word listed under two classes is a homonym ("dish" is a plate or a bowl); the first word of a
class, its head, belongs to no other class.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

# Head of the class: its other words. The order is that of `eilev.synthetic.render.motions`.
VERBS: dict[str, tuple[str, ...]] = {
    "pull": ("drag", "draw", "take"),
    "push": ("shove", "press", "put"),
    "wipe": ("polish", "clean"),
    "roll": ("flatten", "spread", "turn"),
    "lift": ("raise", "hoist", "take"),
    "lower": ("drop", "lay", "put"),
    "cut": ("slice", "chop", "split"),
    "dip": ("dunk", "soak", "put"),
    "squeeze": ("compress", "crush", "press"),
    "knead": ("mould", "shape", "work"),
    "stir": ("mix", "blend", "turn"),
    "wash": ("rinse", "scrub", "clean"),
    "open": ("unseal", "uncover", "turn"),
    "inspect": ("examine", "study", "check"),
    "fill": ("load", "pack", "put"),
    "bring": ("fetch", "carry", "take"),
    "hold": ("grip", "grasp", "take"),
    "touch": ("tap", "feel", "check"),
    "peel": ("skin", "strip", "work"),
    "season": ("salt", "spice", "spread"),
}
NOUNS: dict[str, tuple[str, ...]] = {
    "onion": ("shallot", "scallion"),
    "plate": ("dish", "platter"),
    "knife": ("blade", "cutter"),
    "bowl": ("dish", "tureen"),
    "pan": ("skillet", "wok"),
    "pot": ("saucepan", "vessel"),
    "lid": ("cover", "cap"),
    "spoon": ("ladle", "scoop"),
    "cup": ("mug", "beaker"),
    "glass": ("tumbler", "goblet"),
    "bottle": ("flask", "vessel"),
    "sponge": ("scrubber", "scourer"),
    "towel": ("cloth", "rag"),
    "napkin": ("serviette", "cloth"),
    "board": ("slab", "block"),
    "tap": ("faucet", "spigot"),
    "sink": ("washbasin", "basin"),
    "oven": ("stove", "cooker"),
    "fridge": ("refrigerator", "cooler"),
    "drawer": ("tray", "compartment"),
    "cupboard": ("cabinet", "closet"),
    "bread": ("loaf", "bun"),
    "dough": ("pastry", "paste"),
    "cheese": ("cheddar", "gouda"),
    "butter": ("margarine", "spread"),
    "egg": ("yolk", "omelette"),
    "milk": ("cream", "dairy"),
    "water": ("liquid", "fluid"),
    "oil": ("fat", "grease"),
    "sauce": ("dressing", "ketchup"),
    "soup": ("broth", "stew"),
    "rice": ("grain", "risotto"),
    "pasta": ("spaghetti", "noodle"),
    "meat": ("beef", "steak"),
    "chicken": ("poultry", "hen"),
    "fish": ("salmon", "tuna"),
    "tomato": ("beefsteak", "passata"),
    "potato": ("spud", "tuber"),
    "carrot": ("root", "parsnip"),
    "pepper": ("capsicum", "paprika"),
    "garlic": ("clove", "allium"),
    "lettuce": ("romaine", "cabbage"),
    "cucumber": ("gherkin", "pickle"),
    "mushroom": ("fungus", "truffle"),
    "apple": ("fruit", "quince"),
    "lemon": ("citrus", "lime"),
    "banana": ("fruit", "plantain"),
    "berry": ("strawberry", "raspberry"),
    "nut": ("almond", "walnut"),
    "sugar": ("sweetener", "syrup"),
    "flour": ("powder", "semolina"),
    "coffee": ("espresso", "mocha"),
    "tea": ("infusion", "chai"),
    "spice": ("cinnamon", "cumin"),
    "herb": ("parsley", "basil"),
    "bin": ("trash", "bucket"),
    "bag": ("sack", "pouch"),
    "box": ("carton", "package"),
    "jar": ("canister", "crock"),
    "foil": ("wrap", "film"),
    "scale": ("balance", "weight"),
    "timer": ("clock", "alarm"),
    "kettle": ("boiler", "teapot"),
    "toaster": ("grill", "roaster"),
    "whisk": ("beater", "mixer"),
    "grater": ("shredder", "rasp"),
    "fork": ("prong", "skewer"),
    "clip": ("clamp", "peg"),
    "chair": ("stool", "seat"),
    "phone": ("mobile", "cellphone"),
}


@dataclass(frozen=True)
class WordClass:
    """A verb or noun class of the taxonomy."""

    head: str
    synonyms: tuple[str, ...]  # words of this class only
    homonyms: tuple[str, ...]  # words that another class has too

    @property
    def label(self) -> str:
        """Ego4D's spelling of a class: `plate_(dish,_platter)`."""
        return f"{self.head}_({',_'.join((*self.homonyms, *self.synonyms))})"


def word_classes(words: dict[str, tuple[str, ...]], num_classes: int) -> list[WordClass]:
    """The first `num_classes` classes of a table; a word is a homonym if two of these share it.

    Raises:
        ValueError: the table has fewer classes.
    """
    if num_classes > len(words):
        raise ValueError(f"{num_classes} classes asked for, the lexicon has {len(words)}")
    chosen = list(words.items())[:num_classes]
    uses = Counter(word for _, others in chosen for word in others)
    return [
        WordClass(
            head,
            tuple(word for word in others if uses[word] == 1),
            tuple(word for word in others if uses[word] > 1),
        )
        for head, others in chosen
    ]


def narrator_words(
    classes: list[WordClass], synonym_rate: float, homonym_rate: float, rng: np.random.Generator
) -> list[str]:
    """The word one narrator uses for each class, all life long.

    Where a class has homonyms, one of them is the word with probability `homonym_rate`; else,
    with probability `synonym_rate`, a synonym is; else the head.
    """
    words = []
    for cls in classes:
        homonym, synonym = rng.random(2) < (homonym_rate, synonym_rate)
        others = (cls.homonyms if homonym else ()) or (cls.synonyms if synonym else ())
        words.append(str(rng.choice(others)) if others else cls.head)
    return words
