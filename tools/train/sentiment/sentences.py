"""Reviews of one or two sentences, each with its label: 0 negative, 1 positive. Templates only; every one is drawn from a seed.

    for sentence in sentences(random.Random(7), 100): print(sentence.label, sentence.text)

What is said last or in the main clause decides ("the room was small, but we loved it"); negations turn a word round.
Held-out templates and words are never drawn for training.
"""
from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import words as w

NEGATIVE, POSITIVE = 0, 1
LABELS = ("NEGATIVE", "POSITIVE")

# In all of these {good}, {liked} and {joy} are words of the wanted label, {bad}, {disliked} and {woe} of the other one.
# A statement is a subject, a verb and what is said of it.
SUBJECTS = ("the {part}", "this {thing}", "its {part}", "the {part} of this {thing}", "the whole {thing}", "everything", "it", "our {thing}",
            "the {part} and the {part} together", "what we got", "the {thing} that my {person} chose", "every {part}")
VERBS = ("is", "was", "seems", "looks", "felt", "turned out", "proved", "remained", "became", "has always been", "came across as", "impressed us as",
         "{made} me as")
NOT = ("is not", "was not", "isn't", "wasn't", "is never", "was never", "is hardly", "is by no means", "does not look", "did not seem")
SAID = ("{good}", "{very} {good}", "{good} and {good}", "{good}, {good} and {good}", "{very} {good} and {very} {good}", "a {joy}", "a {good} {joy}")
DENIED = ("{bad}", "{very} {bad}", "{bad} at all", "{bad} or {bad}", "a {woe}", "as {bad} as they say")
BEFORE = ("", "", "", "", "to be fair, ", "I must say that ", "my {person} says that ", "in short, ", "as you can imagine, ", "we agreed that ",
          "believe me, ", "I think ", "to everybody's surprise, ", "once more ", "on the second day we saw that ",
          "{made}, ", "as {made} wrote, ", "{made} {made}: ", "my {person} wrote: ")
AFTER = ("", "", "", "", " this time", " in every way", ", and my {person} agrees", " for us", " from beginning to end", ", I am afraid to say",
         " after all these years", ", all things considered", ", and that is all", " even on a Monday",
         ", wrote my {person}", " from {made} to {made}", ", {made} {made}")
PLAIN = (
    "{very} {good} {thing}!",
    "{good}, {good} {thing}.",
    "What a {good} {thing}!",
    "What a {joy}!",
    "We {liked} the {part} and {liked} the {thing}.",
    "My {person} and I {liked} this {thing}.",
    "I {liked} every minute of it.",
    "Everybody {liked} the {part}.",
    "I have never had such a {good} {thing}.",
    "A {good} {thing} with a {good} {part}.",
    "{good}. Just {good}.",
    "I bought this {thing} for my {person}, who {liked} it.",
    "They made the {part} {very} {good}.",
    "From the {part} to the {part}, a {joy}.",
    "I found the {part} {good}.",
    "{good} {part}, {good} {part}, {good} {thing}.",
    "{good}!",
    "I would call it {good}.",
    "A {joy} of a {thing}.",
    "A {joy}, wrote my {person}.",
    "One word: {good}.",
    "In three words: {good}, {good} and {good}.",
)
# Where a person is the subject.
WHO = ("we", "I", "my {person}", "my {person} and I", "everybody", "the whole family", "most people", "they")
WHAT = ("it", "the {part}", "this {thing}", "the {thing}", "every minute of it", "the {part} and the {part}", "our {thing}")
# Frames around a statement of the other label ({not}), and around one of the wanted label ({yes}) as well.
DENIALS = (
    "I don't think that {not}", "I cannot say that {not}", "nobody would say that {not}", "it is not true that {not}", "I doubt that {not}",
    "it is wrong to say that {not}", "you won't hear from me that {not}", "they lied when they said that {not}", "no one can claim that {not}",
    "there is nothing {bad} about this {thing}", "the {thing} is anything but {bad}", "far from {bad}, {yes}", "we did not find the {part} {bad}",
    "nobody {disliked} the {part}", "not one of us {disliked} it", "neither of us {disliked} the {thing}", "none of them was {bad}", "I would never call this {thing} {bad}", "there was no {woe}", "not a trace of {bad} {part}",
    "who says that {not}? nonsense")
CONTRASTS = (
    "{not}, but {yes}", "although {not}, {yes}", "{yes}, although {not}", "even if {not}, {yes}", "{not}; nevertheless {yes}", "{not}. Still, {yes}",
    "people say that {not}, but {yes}", "my {person} says that {not}; I say that {yes}", "at first {not}, later {yes}", "last week {not}, today {yes}",
    "I feared that {not}, and then {yes}", "I had read that {not}. In fact {yes}", "yes, {not}, but all in all {yes}", "{not}, yet {yes}",
    "it used to be {bad} and is {good} now", "once {bad}, the {thing} has become {good}", "despite a {bad} {part}, {yes}",
    "even with its {bad} {part}, {yes}", "I expected a {woe} and got a {joy}", "the {part} is {bad}, the {thing} {good}",
    "others {disliked} it; I {liked} it", "in spite of the {bad} {part} {yes}", "apart from the {bad} {part}, {yes}", "{not} until they changed it; now {yes}")
# Looked at while the lists above were written.
DEVELOPMENT = (
    "Honestly, the {part} struck me as {good}.",
    "If you ask my {person}, the {thing} is {good}.",
    "Two words: {good} and {good}.",
    "After a week with the {thing} I can say that it is {good}.",
    "You would not call the {part} {bad}.",
    "Its {part}, {bad} last year, is now {good}.",
    "While the {part} seemed {bad}, we {liked} the {thing}.",
    "A {joy} from start to finish, said my {person}.",
    "None of us {disliked} it.",
    "The critics wrote that it is {bad}; they are wrong.",
)

# Written after the training and looked at once, when the scores were written down.
EXAMINATION = (
    "Frankly, the {thing} was {good} again.",
    "To me the {part} sounded {good}.",
    "My {person} promised something {bad}, and then everything was {good}.",
    "Never have I seen such a {good} {part}.",
    "It would be unfair to call the {part} {bad}.",
    "Nothing here is {bad}.",
    "Hardly {bad}, this {thing}.",
    "The {part} alone is {bad}; together with the {part} it becomes {good}.",
    "Whoever chose this {thing} {liked} it, and so did I.",
    "They {disliked} the {part}, my {person} and I {liked} it.",
)


def swapped(template: str) -> str:
    """The same of the other label."""
    for one, other in (("{good}", "{bad}"), ("{liked}", "{disliked}"), ("{joy}", "{woe}")):
        template = template.replace(one, "\0").replace(other, one).replace("\0", other)
    return template


def statement(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.25:
        return f"{rng.choice(WHO)} {{liked}} {rng.choice(WHAT)}"
    if kind < 0.5:
        return f"{rng.choice(SUBJECTS)} {rng.choice(NOT)} {rng.choice(DENIED)}"
    return f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(SAID)}"


def framed(frame: str, rng: random.Random) -> str:
    return frame.replace("{yes}", statement(rng)).replace("{not}", swapped(statement(rng)))


def template(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        return rng.choice(PLAIN)
    text = statement(rng) if kind < 0.5 else framed(rng.choice(DENIALS if kind < 0.7 else CONTRASTS), rng)
    return rng.choice(BEFORE) + text + rng.choice(AFTER) + rng.choice((".", ".", ".", "!", ""))


@dataclass(frozen=True)
class Sentence:
    text: str
    label: int


def with_articles(text: str) -> str:
    """"a awful" to "an awful"."""
    pieces = text.split(" ")
    for i in range(len(pieces) - 1):
        if pieces[i].lower() == "a" and pieces[i + 1][:1].lower() in "aeiou":
            pieces[i] += "n"
    return " ".join(pieces)


CONSONANTS, VOWELS = "bcdfgklmnprstvz", "aeiou"


def made_up(rng: random.Random) -> str:
    """A word that means nothing, so that what is reviewed does not matter."""
    return "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.randint(2, 4)))


@dataclass(frozen=True)
class HeldOut:
    """What is drawn from the side that training never sees."""
    templates: tuple[str, ...] = ()  # instead of the training's
    topics: bool = False  # things, parts, people
    feelings: bool = False  # the words that carry the label


def fill(text: str, label: int, rng: random.Random, held_out: HeldOut) -> str:
    mine, other = (w.GOOD, w.LIKED, w.JOYS), (w.BAD, w.DISLIKED, w.WOES)
    if label == NEGATIVE:
        mine, other = other, mine
    topics = {"thing": w.THINGS, "part": w.PARTS, "person": w.PEOPLE}
    feelings = {"very": w.VERY, "good": mine[0], "liked": mine[1], "joy": mine[2], "bad": other[0], "disliked": other[1], "woe": other[2]}
    used = set()
    while "{" in text:
        name = text[text.index("{") + 1:text.index("}")]
        if name == "made":
            choices = (made_up(rng),)
        elif name in topics:
            choices = topics[name].side(held_out.topics)
        else:
            choices = feelings[name].side(held_out.feelings)
        word = rng.choice([choice for choice in choices if choice not in used] or choices)
        if name in topics and not held_out.topics and rng.random() < 0.2:
            word = made_up(rng)
        used.add(word)
        text = text.replace("{" + name + "}", word, 1)
    text = with_articles(text)
    return text[0].upper() + text[1:]


def with_strange_words(text: str, rng: random.Random) -> str:
    """Words that nobody knows turn nothing round."""
    pieces = text.split(" ")
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        pieces.insert(rng.randrange(len(pieces)), made_up(rng))
    return " ".join(pieces)


def draw(rng: random.Random, held_out: HeldOut) -> Sentence:
    label = rng.randrange(2)
    if held_out.templates:
        return Sentence(fill(rng.choice(held_out.templates), label, rng, held_out), label)
    text = fill(template(rng), label, rng, held_out)
    if rng.random() < 0.2:
        text += " " + fill(template(rng), label, rng, held_out)
    if held_out == HeldOut():
        text = with_strange_words(text, rng)
    return Sentence(text, label)


def sentences(rng: random.Random, n: int, held_out: HeldOut = HeldOut()) -> Iterator[Sentence]:
    for _ in range(n):
        yield draw(rng, held_out)
