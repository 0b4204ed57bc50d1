"""Closed word classes that the rules of eilev/sources/english/phrases.py go by."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Before a noun phrase that follows, or a verb if one does.
JOINTS = _words("and or then & , while")
ADVERBS = _words(
    "still just now again also then too slightly quickly slowly carefully properly evenly together"
    " further twice once halfway apart finally"
)
# Prepositions and the particles of verbs such as "put down"; none takes an article.
PREPOSITIONS = _words(
    "in into inside on onto off of from to with at by for over under underneath up down out away"
    " around about between behind through across against along back near aside above below without"
    " using after before beside towards upside until as like if when whether than outside per"
)
PARTICLES = _words("up down out away off back on in aside")
# After these a noun phrase always follows, and it is no object: "put (it) into pan".
STRICT_PREPOSITIONS = _words(
    "into onto inside from to with under underneath at between behind of over"
)
# Words that make a noun phrase complete without an article.
DETERMINERS = _words(
    "the a an some more another both each every any it them this that these those him her his their"
    " my your its one two three four five six seven eight nine ten several few many much something"
    " everything nothing anything half all enough"
)
# A phrase that ends in one of these was cut off.
DANGLING = _words("and or then & , of from into with to onto for the a an")
ARTICLES = _words("the a an")

# Verbs that need an object: where the narrator left it out, it is "it".
TRANSITIVE = _words("put place take throw remove insert pick set fill turn switch lay leave")
# "put on desk" has its place here, "put on scarf" its object.
PLACES = _words(
    "counter countertop worktop table desk hob stove oven cooker rack shelf sink floor side plate"
    " tray drawer cupboard cabinet fridge refrigerator freezer bin board pan pot bowl saucepan"
    " dishwasher microwave box bag basket surface top stand container tupperware water"
    " cup machine maker"
)
BEFORE_GERUNDS = _words("by before after without")
ASPECT = _words("continue keep stop start begin finish resume")
# "cut open the bag"
OPENING = _words("cut rip slice peel tear pull push crack break flip prise pop squeeze split")
# "turn of tap" means "off"; not after these.
WITH_OF = _words("dispose get think smell let consist")

# "a bag of rice", but "the lid of the pot".
QUANTITIES = _words(
    "bag ball bar batch bit block bottle bowl box bunch can carton chunk clove container cup dollop"
    " drop glass handful head jar jug kind kilo knob lot loaf lump mixture mix mug pack package"
    " packet pair piece pile pinch plate portion pot punnet roll set sheet slice spoon spoonful"
    " sprig stack stick strip tablespoon tea teaspoon tin tub tube tupperware type tray wedge"
)
# "cut onion into small pieces"
PIECES = _words("piece slice cube chunk strip half quarter part box bit ring stick wedge square")
MIXTURES = _words("mixture mix combination")
BODY = _words("hand hands finger fingers thumb thumbs arm arms mouth nose face head hair")
LEVELS = _words("low high medium hot cold warm full maximum minimum")
# Without an article after that preposition.
BARE_AFTER = frozenset(
    {("on", "top"), ("in", "half"), ("into", "half"), ("in", "place"), ("by", "hand"), ("on", "to")}
    | {("in", "front"), ("in", "order"), ("at", "once"), ("in", "between"), ("to", "boil")}
)

# Verbs of the kitchen. After "and" these are verbs unless the phrase's nouns say otherwise; other
# words that can be both are verbs only if what follows them can be an object.
VERBS = _words(
    "add adjust apply arrange attach beat bend blend boil break bring brush carry change check"
    " choose chop clean clear close collect cook cool count cover crack crush cut dip discard"
    " divide drain drink drop dry eat empty enter fill find finish flatten flip fold fry gather"
    " get give go grab grate grease hang have heat hold insert inspect keep knead lather lay"
    " leave let lift light load look lower make mash massage measure melt mix move open pack"
    " peel pick place plug poke pour prepare press pull push put raise read rearrange remove"
    " replace return rinse rip roll rotate rub scoop scrape scrub search season separate serve"
    " set shake sharpen shut sift slice smell soak sort spill spray spread sprinkle squash"
    " squeeze stack stir strain stretch stuff swirl switch take taste tear throw tie tilt tip"
    " toss transfer try turn twist uncover unfold unload unlock unpack unplug unroll unscrew"
    " untie unwrap use wait walk warm wash watch wear weigh whisk wipe wrap wring"
)
