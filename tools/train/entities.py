"""The things that dialogues speak about: names, days, times, amounts, medicines.

Every kind is split into a training part and a held-out part that never occurs in training, so that the evaluation
measures copying and not memory. Open kinds (names, medicines, insurers) are mostly built from syllables: a model that
has seen only a few hundred names learns those names; one that has seen a hundred thousand learns to copy.
"""
from __future__ import annotations

import random
import zlib

FIRST = """Anna Ben Clara Daniel Emma Felix Grace Henry Irene Jack Karen Leo Maria Nathan Olivia Peter Quinn Rachel Samuel
Tina Ursula Victor Wendy Xavier Yvonne Zoe Adam Bella Carlos Diana Edward Fiona George Hannah Isaac Julia Kevin Laura
Martin Nina Oscar Paula Robert Sarah Thomas Vera Walter Alice Brian Cora David Elena Frank Gina Harold Ingrid James Kate
Luis Monica Noah Pamela Ralph Sofia Tobias Vanessa William Amir Bruno Chloe Dora Erik Farah Gavin Helen Ivan Jasmin
Kofi Lena Miguel Nadia Omar Petra Rosa Stefan Tara Umar Viola Yusuf Aisha Bjorn Carmen Dmitri Esther Fatima Goran Hugo
Ines Jonas Kira Liam Mina Nils Olga Pablo Rita Sven Theo Vikram Wanda Yara Arthur Beatrice Colin Doris Ethan Freya
Gloria Howard Iris Jacob Kyle Linda Mason Nora Patrick Ruth Simon Teresa Vincent Agnes Boris Cecilia Dylan Eva""".split()
FIRST_HELD_OUT = """Marta Oliver Priya Sebastian Lucia Kenji Abigail Rafael Greta Malik Judith Anton Leila Conrad Harriet
Mateo Bridget Elias Naomi Terence""".split()
LAST = """Adams Baker Carter Dixon Evans Foster Green Harris Irving Jones King Lewis Miller Nelson Owens Parker Quick Reed
Scott Turner Underwood Vaughn White Young Allen Brooks Clark Davies Ellis Fisher Grant Hughes Ingram Jensen Klein Lopez
Morgan Novak Olsen Perez Rossi Silva Tanaka Ueda Vargas Weber Yilmaz Zimmer Abbott Bauer Costa Duarte Engel Ferrari
Gomez Hansen Ito Jansen Kaplan Larsen Moreau Nguyen Ortiz Petrov Ramos Singh Torres Usman Visser Wagner Ali Becker Chen
Diaz Eriksen Fuchs Garcia Haddad Ivanov Johansson Kowalski Lindberg Mendes Nakamura Okafor Patel Richter Schmidt Thomas
Walker Wood Hall Hill Moore Taylor Wright Cooper Ward Bell Cook Price Stone Marsh Fields Banks Rivers Winter Summers
Barker Fletcher Mason Potter Shepherd Thatcher Webster Archer Bishop Cole Drake Frost Gray Hunt Knight Lane Nash Page
Rhodes Sharp Thorne West Wolfe York Blake Chase Dean Floyd Goodwin Holmes""".split()
LAST_HELD_OUT = """Kingsley Romero Whitaker Ahmed Sorensen Delgado Mercer Bianchi Hoffmann Osei Lockwood Varga Castellan
Brandt Iyer Pemberton Salazar Tremblay Yamada Dunbar""".split()

_LISTED_HELD_OUT = {*FIRST_HELD_OUT, *LAST_HELD_OUT}
_LISTED = {*FIRST, *LAST} | _LISTED_HELD_OUT

_ONSETS = """b br c ch cl d dr f fl g gr h j k kl l m n p pr r s sh sl st t th tr v w z bl cr gl gw kh kr kw ph pl qu rh sc sk
sm sn sp sw ts wh x y zh""".split()
_MIDDLES = "b c d g k l m n p r s t v z bb dd ff ll mm nn pp rr ss tt ck nd ng nt rd rk rl rn rt sk st lb ld lm ndr mb x y".split()
_VOWELS = "a e i o u a e i o u a e i o ai ea ee ia ou au ae eu oo io ie ue oa ei y".split()
_LETTERS = "aaabcdeeefghiiijklmnooopqrstuuvwxyz"
_ENDS = ["", "", "n", "r", "l", "s", "nd", "ck", "th", "m", "rt", "x", "ll", "ff", "ng", "lt", "ston", "man", "ford",
         "son", "ley", "ton", "ski", "ez", "wood", "berg", "well", "by", "ham", "dale"]
_MEDICINE_ENDS = "ol in ide one ate pril statin zole mycin pam lol ine vir tan".split()
_INSURER_ENDS = ["Health", "Care", "Mutual", "Insurance", "Life", "Plan"]

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December"]


def is_held_out(word: str) -> bool:
    """One tenth of all built words, chosen by their checksum, belongs to the evaluation for ever.

    A built name may happen to be a listed one; then the lists decide.
    """
    if word in _LISTED:
        return word in _LISTED_HELD_OUT
    return zlib.crc32(word.encode()) % 10 == 0


def ordinal(number: int) -> str:
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


class Entities:
    """Draws entities of one side of the split."""

    def __init__(self, rng: random.Random, held_out: bool):
        self.rng = rng
        self.held_out = held_out

    def _own(self, draw) -> str:
        """Draw until the word lies on our side of the split."""
        while True:
            word = draw()
            if is_held_out(word) == self.held_out:
                return word

    def _stem(self, syllables: int) -> str:
        """Syllables; a quarter begin with a vowel."""
        choice = self.rng.choice
        start = "" if self.rng.random() < 0.25 else choice(_ONSETS)
        return start + choice(_VOWELS) + "".join(choice(_MIDDLES) + choice(_VOWELS) for _ in range(syllables - 1))

    def _built_name(self) -> str:
        """A fifth are letters without any rule: whatever the vocabulary cuts a name into must be copied."""
        choice = self.rng.choice
        if self.rng.random() < 0.2:
            return self._own(lambda: "".join(choice(_LETTERS) for _ in range(self.rng.randint(3, 8))).capitalize())
        return self._own(lambda: (self._stem(choice((1, 1, 2, 2, 3))) + choice(_ENDS)).capitalize())

    def first(self) -> str:
        if self.rng.random() < 0.5:
            return self.rng.choice(FIRST_HELD_OUT if self.held_out else FIRST)
        return self._built_name()

    def last(self) -> str:
        if self.rng.random() < 0.4:
            return self.rng.choice(LAST_HELD_OUT if self.held_out else LAST)
        return self._built_name()

    def name(self) -> str:
        """Mostly first and last name; now and then only one, a compound one, or one in small letters."""
        kind = self.rng.random()
        if kind < 0.08:
            name = self.first()
        elif kind < 0.11:
            name = f"{self.first()}-{self.first()} {self.last()}"
        elif kind < 0.14:
            name = f"{self.first()} {self.last()}-{self.last()}"
        elif kind < 0.18:
            name = f"{self.first()} " + self.rng.choice(["van ", "de ", "von ", "O'", "Mc"]) + self.last()
        else:
            name = f"{self.first()} {self.last()}"
        return name.lower() if self.rng.random() < 0.05 else name

    def doctor(self) -> str:
        return f"Dr. {self.last()}"

    def day(self) -> str:
        rng = self.rng
        weekday, kind = rng.choice(WEEKDAYS), rng.random()
        if kind < 0.4:
            return weekday
        if kind < 0.5:
            return f"{rng.choice(['next', 'next', 'this'])} {weekday}"
        if kind < 0.57:
            return rng.choice(["tomorrow", "today"])
        return self._own(self._date)

    def _date(self) -> str:
        weekday, number, month = self.rng.choice(WEEKDAYS), self.rng.randint(1, 30), self.rng.choice(MONTHS)
        return self.rng.choice([
            f"{weekday} {number} {month}", f"{number} {month}", f"{month} {number}", f"the {ordinal(number)} of {month}",
            f"{month} {ordinal(number)}", f"{weekday} the {ordinal(number)}"])

    def time(self) -> str:
        rng = self.rng
        kind = rng.random()
        if kind < 0.65:
            return self._own(lambda: f"{rng.randint(7, 19)}:{rng.randrange(0, 60, 5):02d}")
        if kind < 0.72:
            return f"{rng.randint(7, 19)}" + rng.choice(["", " o'clock", " oclock"])
        if kind < 0.85:
            return f"{rng.randint(1, 12)} {rng.choice(['am', 'pm'])}"
        return self._own(lambda: f"{rng.randint(1, 12)}:{rng.randrange(0, 60, 5):02d} {rng.choice(['am', 'pm'])}")

    def amount(self) -> str:
        return self._own(lambda: f"{self.rng.choice((self.rng.randint(10, 99), self.rng.randint(100, 999)))} dollars")

    def phone(self) -> str:
        return self._own(lambda: f"{self.rng.randint(200, 999)} {self.rng.randint(100, 999)} {self.rng.randint(100, 999)}")

    def medicine(self) -> str:
        return self._own(lambda: (self._stem(self.rng.choice((1, 2, 2))) + self.rng.choice(_MEDICINE_ENDS)).capitalize())

    def insurer(self) -> str:
        return f"{self._built_name()} {self.rng.choice(_INSURER_ENDS)}"
