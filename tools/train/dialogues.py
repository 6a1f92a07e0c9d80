"""Dialogues drawn from the grammar: flows of several turns that carry names, days and times along.

A dialogue is a list of turns; a turn knows the act the desk should perform and the entities its answer must repeat, so
the same generator makes the training text and, on the held-out side, the evaluation.
"""
from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import grammar as g
from entities import WEEKDAYS, Entities

_INNERMOST = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"(\{\w+\})")
_PREFIXES = ["Hello, ", "Hi, ", "Good morning, ", "Hi there, ", "Good afternoon, ", "Excuse me, ", "Okay, ", "So, ",
             "Also, ", "One more question: ", "And ", "Well, "]
_SUFFIXES = [" Thank you.", " Thanks.", " Thank you very much."]


@dataclass
class Turn:
    user: str
    act: str
    slots: dict[str, str] = field(default_factory=dict)
    variant: int = 0

    @property
    def answers(self) -> list[str]:
        """Every wording that the grammar allows here."""
        return [capitalised(template.format(**self.slots)) for template in g.ANSWERS[self.act]]

    @property
    def answer(self) -> str:
        return self.answers[self.variant % len(self.answers)]

    @property
    def entities(self) -> list[str]:
        """What the answer must contain letter by letter, whichever its wording."""
        used = set(re.findall(r"\{(\w+)\}", " ".join(g.ANSWERS[self.act]))) - {"preparation"}
        return sorted({self.slots["day" if name == "on_day" else name] for name in used})


@dataclass
class Dialogue:
    system: str | None
    turns: list[Turn]

    def messages(self, until: int | None = None) -> list[dict[str, str]]:
        """All messages, or those up to the question of turn `until`."""
        out = [{"role": "system", "content": self.system}] if self.system else []
        last = len(self.turns) if until is None else until
        for turn in self.turns[:last]:
            out += [{"role": "user", "content": turn.user}, {"role": "assistant", "content": turn.answer}]
        if until is not None:
            out.append({"role": "user", "content": self.turns[until].user})
        return out


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def on(day: str) -> str:
    return day if day.startswith(("next", "this", "to")) else f"on {day}"


class Generator:
    """Draws dialogues of one side of the split; equal seeds give equal dialogues."""

    def __init__(self, seed: int, held_out: bool = False):
        self.rng = random.Random(seed)
        self.held_out = held_out
        self.entities = Entities(self.rng, held_out)
        self.facts: dict[str, str] = {}
        self.known: str | None = None  # the patient's full name, once it was said
        self.flows = [(self.booking, 9), (self.moving, 5), (self.cancelling, 4), (self.asking, 16), (self.refilling, 3)]

    # --- questions

    def expand(self, template: str) -> str:
        while match := _INNERMOST.search(template):
            template = template[:match.start()] + self.rng.choice(match.group(1).split("|")) + template[match.end():]
        return template

    def fill(self, template: str, slots: dict[str, str]) -> str:
        """The template in the patient's hand: some write in small letters, without full stops, or drop a letter."""
        rng = self.rng
        pieces = _SLOT.split(template)
        if rng.random() < 0.2:
            pieces = [piece if piece.startswith("{") else piece.lower() for piece in pieces]
        if rng.random() < 0.1:
            at = rng.randrange(len(pieces))
            words = pieces[at].split(" ")
            long = [i for i, word in enumerate(words) if len(word) > 4 and word.isalpha()]
            if long and not pieces[at].startswith("{"):
                i, cut = rng.choice(long), rng.randint(1, 4)
                words[i] = words[i][:cut] + words[i][cut + 1:]
                pieces[at] = " ".join(words)
        if rng.random() < 0.2:
            pieces[-1] = pieces[-1].rstrip(".?!")
        filled = [self.slot(piece[1:-1], slots) if piece.startswith("{") else piece for piece in pieces]
        return "".join(filled)

    def slot(self, name: str, slots: dict[str, str]) -> str:
        if name in slots:
            return slots[name]
        if name[0].isupper():
            return capitalised(self.slot(name.lower(), slots))
        draw, rng = self.entities, self.rng
        return {
            "person": lambda: rng.choice(g.PEOPLE), "danger": lambda: rng.choice(g.DANGERS),
            "collapse": lambda: rng.choice(g.COLLAPSES), "span": lambda: rng.choice(g.SPANS),
            "weekday": lambda: rng.choice(WEEKDAYS[:5]), "thing": self.thing, "number": lambda: str(rng.randint(2, 99)),
            "noise": self.noise, "medicine": draw.medicine, "name": draw.name,
        }[name]()

    def thing(self) -> str:
        return self.rng.choice(g.THINGS_HELD_OUT if self.held_out else g.THINGS)

    def noise(self) -> str:
        return "".join(self.rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(self.rng.randint(2, 8)))

    def question(self, intent: str, prefix: bool = False, **slots: str) -> str:
        """A phrasing of `intent`: held-out phrasings only on the held-out side."""
        if "day" in slots:
            slots["on_day"] = on(slots["day"])
        template = self.expand(self.rng.choice((g.HELD_OUT if self.held_out else g.QUESTIONS)[intent]))
        if prefix and self.rng.random() < 0.3:
            start = template if template.startswith(("I ", "I'", "{", "X", "MRI")) else template[0].lower() + template[1:]
            template = self.rng.choice(_PREFIXES) + start
        if prefix and self.rng.random() < 0.05:
            template += self.rng.choice(_SUFFIXES)
        return self.fill(template, slots)

    def turn(self, user: str, act: str, **slots: str) -> Turn:
        if "day" in slots:
            slots["on_day"] = on(slots["day"])
        return Turn(user, act, {**self.facts, **slots}, self.rng.randrange(2))

    # --- flows

    def who(self) -> tuple[str, str]:
        """What the patient says and what the desk calls it."""
        if self.rng.random() < 0.5:
            doctor = self.entities.doctor()
            return doctor, doctor
        department = self.rng.choice(list(g.DEPARTMENTS))
        return self.rng.choice(g.DEPARTMENTS[department]), department

    def introduced(self, user: str = "") -> tuple[str, str]:
        """The patient gives the full name, alone or after another sentence; nobody is asked for it twice."""
        self.known = name = self.entities.name()
        if user and user[-1] not in ".?":
            return f"{user}, my name is {name}", name
        return f"{user} {self.question('give.name', name=name)}".strip(), name

    def booking(self, start: str | None = None) -> Iterator[Turn]:
        """Slots come in any portion; the desk asks for the first that is missing: who, day, time, name.

        `start` is the question that opens the flow where it follows another ("yes, please").
        """
        rng, draw = self.rng, self.entities
        seek, who = self.who()
        day, time = draw.day(), draw.time()
        name, has_day, has_time = self.known, False, False
        if start is not None or rng.random() < 0.2:
            yield self.turn(start or self.question("book", True), "book.ask_who")
            user = self.question("give.who", seek=seek)
        elif rng.random() < 0.15:
            who = rng.choice(list(g.SYMPTOMS))
            user = self.question("symptom", True, symptom=rng.choice(g.SYMPTOMS[who]))
            yield self.turn(user, "symptom", who=who)
            user = ""
        else:
            tail = ""
            if rng.random() < 0.5:
                has_day, tail = True, f" {on(day)}"
                if rng.random() < 0.5:
                    has_time, tail = True, f"{tail} at {time}" if rng.random() < 0.7 else f" at {time} {on(day)}"
            user = self.question("book.who", True, seek=seek, tail=tail)
            if name is None and rng.random() < 0.2:
                user, name = self.introduced(user)
        if not has_day:
            if user:
                yield self.turn(user, "book.ask_day", who=who)
            if rng.random() < 0.3:
                user, has_time = self.question("give.day.time", day=day, time=time), True
            else:
                user = self.question("give.day", day=day)
        if not has_time:
            yield self.turn(user, "book.ask_time", day=day)
            user = self.question("give.time", time=time)
        if name is None:
            yield self.turn(user, "book.ask_name", day=day, time=time)
            user, name = self.introduced()
        yield self.turn(user, "book.done", name=name, who=who, day=day, time=time)
        yield from self.after(name, who, day, time)

    def after(self, name: str, who: str, day: str, time: str) -> Iterator[Turn]:
        """Changes of mind and questions about what was said."""
        rng, draw = self.rng, self.entities
        if rng.random() < 0.3:
            if rng.random() < 0.5:
                time, user = (new := draw.time()), self.question("change.time", time=new)
            else:
                day, user = (new := draw.day()), self.question("change.day", day=new)
            yield self.turn(user, "change", who=who, day=day, time=time)
        if rng.random() < 0.45:
            act = rng.choice(["recall.when", "recall.who", "recall.name"])
            yield self.turn(self.question(act), act, name=name, who=who, day=day, time=time)

    def moving(self) -> Iterator[Turn]:
        rng, draw = self.rng, self.entities
        name, old, day, time = self.known, draw.day(), draw.day(), draw.time()
        knows_old, knows_new = rng.random() < 0.5, rng.random() < 0.6
        moved = (f" from {old}" if knows_old else "") + (f" to {day} at {time}" if knows_new else "")
        user = self.question("move", True, moved=moved)
        if moved and moved not in user:
            knows_old = knows_new = False
        if name is None and rng.random() < 0.35:
            user, name = self.introduced(user)
        if name is None:
            yield self.turn(user, "move.ask_name")
            user, name = self.introduced()
        if not knows_new:
            yield self.turn(user, "move.ask_day", name=name)
            if rng.random() < 0.4:
                user = self.question("give.day.time", day=day, time=time)
            else:
                yield self.turn(self.question("give.day", day=day), "move.ask_time", day=day)
                user = self.question("give.time", time=time)
        yield self.turn(user, "move.done.from" if knows_old else "move.done", name=name, old=old, day=day, time=time)

    def cancelling(self) -> Iterator[Turn]:
        rng, draw = self.rng, self.entities
        name, day, knows_day = self.known, draw.day(), rng.random() < 0.6
        when = rng.choice([f" {on(day)}", f" {on(day)} at {draw.time()}"]) if knows_day else ""
        user = self.question("cancel", True, when=when)
        if name is None and rng.random() < 0.4:
            user, name = self.introduced(user)
        if name is None:
            yield self.turn(user, "cancel.ask_name")
            user, name = self.introduced()
        if not knows_day:
            yield self.turn(user, "cancel.ask_day", name=name)
            user = self.question("give.day", day=day)
        yield self.turn(user, "cancel.done", name=name, day=day)
        follow = rng.random()
        if follow < 0.3:
            yield from self.booking(self.question("yes"))
        elif follow < 0.6:
            yield self.turn(self.question("no"), "no")

    def refilling(self) -> Iterator[Turn]:
        name, medicine = self.known, self.entities.medicine()
        user = self.question("refill", True, medicine=medicine)
        if name is None and self.rng.random() < 0.3:
            user, name = self.introduced(user)
        if name is None:
            yield self.turn(user, "refill.ask_name", medicine=medicine)
            user, name = self.introduced()
        yield self.turn(user, "refill.done", name=name, medicine=medicine)

    def asking(self) -> Iterator[Turn]:
        """One to three questions that stand alone."""
        for _ in range(self.rng.choice((1, 1, 2, 2, 3))):
            yield self.single(self.rng.choice(SINGLE))

    def single(self, intent: str) -> Turn:
        rng, draw = self.rng, self.entities
        slots: dict[str, str] = {}
        if intent == "hours.weekday":
            slots["weekday"] = rng.choice(WEEKDAYS[:5])
        elif intent == "fee.item":
            slots["item"] = rng.choice(list(g.PRICES))
            slots["price"] = str(g.PRICES[slots["item"]])
        elif intent == "prepare":
            slots["test"] = rng.choice(list(g.PREPARATIONS))
            slots["preparation"] = g.PREPARATIONS[slots["test"]]
        elif intent == "bill":
            slots["amount"] = draw.amount()
        elif intent == "insurance":
            slots["insurer"] = draw.insurer()
        elif intent == "phone":
            slots["phone"] = draw.phone()
        elif intent in ("late", "complain"):
            slots["minutes"] = str(rng.choice((5, 10, 15, 20, 25, 30, 40, 45, rng.randint(3, 59))))
        prefix = intent not in ("scope", "emergency", "unclear")
        return self.turn(self.question(intent, prefix, **slots), intent, **slots)

    def opening(self) -> Turn:
        if self.rng.random() < 0.4:
            first = self.entities.first()
            name = f"{first} {self.entities.last()}"
            user = self.question("hello.name", name=name, first=first)
            self.known = name if name in user else None
            return self.turn(user, "hello.name", name=self.known or first)
        act = self.rng.choice(["hello", "hello", "hello", "how", "weather"])
        return self.turn(self.question(act), act)

    def closing(self) -> Iterator[Turn]:
        yield self.turn(self.question("thanks"), "thanks")
        if self.rng.random() < 0.5:
            act = self.rng.choice(["no", "bye"])
            yield self.turn(self.question(act), act)

    def dialogue(self) -> Dialogue:
        rng = self.rng
        system, self.facts, self.known = None, dict(g.DEFAULT_FACTS), None
        kind = rng.random()
        if kind < 0.2:
            quarters, halves = ("00", "15", "30", "45"), ("00", "30")
            self.facts = {
                "open": f"{rng.randint(6, 10)}:{rng.choice(quarters)}",
                "close": f"{rng.randint(15, 21)}:{rng.choice(quarters)}",
                "sat_open": f"{rng.randint(7, 10)}:{rng.choice(halves)}",
                "sat_close": f"{rng.randint(11, 16)}:{rng.choice(halves)}",
                "fee": str(rng.randint(20, 199))}
            system = g.FACTS.format(**self.facts)
        elif kind < 0.55:
            system = rng.choice(g.SYSTEMS)
        turns = [self.opening()] if rng.random() < 0.3 else []
        flows, weights = zip(*self.flows)
        for flow in rng.choices(flows, weights, k=rng.choice((1, 1, 1, 2))):
            turns += flow()
        if rng.random() < 0.3:
            turns += self.closing()
        return Dialogue(system, turns)


# Intents that one turn answers; those with facts or entities come more often than small talk.
SINGLE = 2 * [
    "hours", "hours.weekday", "hours.saturday", "hours.sunday", "fee.visit", "fee.item", "prepare", "bill", "insurance",
    "phone", "late", "scope",
] + [
    "fee.item", "prepare", "scope", "scope", "emergency", "emergency", "advice", "results", "others", "insurance",
    "pay", "insurance.which", "way", "parking", "wheelchair", "bring", "who", "robot", "how", "weather", "sorry",
    "complain", "privacy", "unclear",
]
