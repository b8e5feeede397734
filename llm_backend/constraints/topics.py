"""The topics of the prompts, and the words that show that a response is about one."""

from __future__ import annotations

import re

from llm_backend.constraints.kinds import words

_TRAINED = {
    "bread": "loaf loaves bake baked baking baker bakery dough flour wheat grain crust toast sandwich food",
    "cats": "kitten kitty feline purr purring whisker claw paw fur pet animal",
    "chess": "board king queen pawn knight bishop rook checkmate strategy game play player opponent",
    "coffee": "bean brew brewed espresso caffeine cup mug roast roasted drink aroma morning",
    "rivers": "water stream flow flowing bank current fish sea ocean lake boat",
    "snow": "snowy snowflake flake cold winter ice icy white frozen freezing ski sled",
    "music": "musical song sing singing sound melody rhythm tune harmony band instrument listen dance",
    "trains": "rail railway railroad track station locomotive travel transport passenger ride",
    "bees": "honey hive pollen pollinate pollinator pollination nectar sting buzz buzzing insect flower",
    "gold": "golden metal precious jewelry coin yellow shiny mining rich wealth ring valuable",
    "dogs": "puppy puppies canine bark barking tail pet loyal companion animal fur paw",
    "gardens": "gardening gardener plant flower soil seed grow growing vegetable lawn green bloom",
    "tea": "leaf leaves brew brewed cup drink herbal steep caffeine sip hot",
    "maps": "atlas cartography location direction route place road navigate navigation world land",
    "glass": "glasses window transparent sand bottle mirror fragile shatter material solid cup",
    "whales": "ocean sea marine mammal swim swimming blubber giant fin water blowhole",
    "soccer": "football ball goal team player kick kicking match sport pitch game play",
    "paper": "tree wood pulp write writing page book ink print printing sheet wrap",
    "bridges": "river span cross crossing arch road structure steel connect connecting water build",
    "winter": "cold snow snowy ice icy season frost freezing chilly holiday december january",
    "honey": "bee hive sweet sweetener nectar syrup sugar golden sticky food",
    "clocks": "time hour minute second tick ticking watch hand alarm clockwork",
    "salt": "salty sodium chloride mineral sea taste flavor season seasoning food cooking crystal",
    "horses": "pony ponies mare stallion foal gallop galloping ride riding rider hoof mane saddle animal",
    "oranges": "fruit citrus juice juicy peel vitamin tree sweet tangy",
    "kites": "fly flying wind string sky air tail glide",
    "lamps": "light lighting bulb lit bright shade glow illuminate room desk dark",
    "frogs": "toad amphibian tadpole pond hop hopping jump jumping croak ribbit animal",
    "castles": "king queen knight tower moat wall stone fortress fort medieval history",
    "silk": "silky fabric cloth worm silkworm soft smooth thread fiber cocoon clothing",
    "rain": "rainy raindrop water cloud wet storm drop weather umbrella sky",
    "forests": "tree wood woodland leaf leaves wildlife animal plant nature green bird",
    "ice": "icy cold frozen freeze freezing water winter snow glacier cube melt melting skate rink",
    "pencils": "write writing draw drawing graphite lead wood wooden eraser sketch paper",
    "wool": "woolen woolly sheep yarn knit knitting fiber warm sweater fabric lamb clothing",
    "apples": "fruit tree orchard pie cider juicy crisp sweet core",
    "ships": "boat sail sailing sailor sea ocean water captain vessel cargo port",
    "candles": "wax wick flame light burn burning glow scent scented fire",
    "owls": "bird nocturnal night hoot hooting wing feather prey wise nest",
    "cheese": "cheesy milk dairy cheddar mozzarella cream creamy curd food flavor",
}
_HELD_OUT = {
    "volcanoes": "volcanic lava magma erupt erupting eruption ash mountain crater molten hot",
    "bicycles": "bike biking cycle cycling cyclist wheel pedal ride riding rider",
    "penguins": "bird antarctica antarctic ice swim swimming waddle flightless cold animal",
    "pianos": "key keyboard music musical pianist play playing sound instrument note song tune melody",
    "deserts": "sand sandy dry hot arid camel dune cactus sun heat oasis",
    "telescopes": "star planet space astronomy astronomer lens mirror sky galaxy moon far light",
    "rice": "grain food cook cooked cooking paddy asia asian dish meal crop",
    "lighthouses": "light ship sea coast coastal shore beacon tower sailor ocean",
    "tigers": "cat stripe striped feline predator prey jungle wild animal roar big",
    "mirrors": "reflect reflecting reflection reflective glass image see looking shiny light",
    "spring": "season flower bloom blooming blossom warm plant march april may rain green",
    "violins": "string bow music musical violinist play playing sound instrument fiddle note melody",
    "submarines": "sub underwater water sea ocean navy naval dive diving deep vessel",
    "cactuses": "cactus cacti plant desert spine spiny thorn prickly dry water",
    "pottery": "pot potter clay ceramic kiln vase bowl art craft",
}
ABOUT = {topic: frozenset(related.split()) for topic, related in (_TRAINED | _HELD_OUT).items()}
TOPICS, NEW_TOPICS = list(_TRAINED), list(_HELD_OUT)
_PATTERN = re.compile(rf"\b({'|'.join(ABOUT)})\b")


def topic_of(prompt: str) -> str:
    """The topic that a prompt asks about.

    Raises ValueError when it names none.
    """
    if found := _PATTERN.search(prompt):
        return found[1]
    raise ValueError(
        f"the prompt {prompt[-80:]!r} names no topic: the judge of constraints needs prompts of "
        'llm_backend.constraints ([data] source = "constraints").'
    )


def on_topic(prompt: str, response: str) -> bool:
    """Whether the response has the prompt's topic, or a word that belongs to it, in singular or plural.

    Raises ValueError when the prompt names no topic.
    """
    topic = topic_of(prompt)
    related = ABOUT[topic] | {topic, topic.removesuffix("s"), topic.removesuffix("es")}
    found = {word.split("'")[0].split("’")[0] for word in words(response)}
    return any({word, word.removesuffix("s"), word.removesuffix("es")} & related for word in found)
