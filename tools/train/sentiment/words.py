"""The words of the reviews. Each kind has a training side and a held-out side, which training never sees."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    train: tuple[str, ...]
    held_out: tuple[str, ...]

    def side(self, held_out: bool) -> tuple[str, ...]:
        return self.held_out if held_out else self.train


def words(train: str, held_out: str = "") -> Words:
    return Words(tuple(train.split()), tuple(held_out.split()) or tuple(train.split()))


# What is reviewed, and a part of it.
THINGS = words(
    "film movie book novel hotel restaurant café phone laptop camera play concert album show series game museum tour course lesson bakery "
    "clinic dentist doctor nurse plumber airline train ferry bus taxi bank shop market library gym pool park zoo theatre festival "
    "recipe pizza soup salad burger coffee tea wine beer cake bread chair table lamp sofa mattress jacket coat shoe bag watch printer "
    "keyboard monitor speaker headset vacuum oven fridge kettle toaster app website service delivery repair haircut massage workshop",
    "documentary comedy musical opera hostel brewery bistro tablet scooter bicycle podcast exhibition aquarium optician carpenter tram "
    "curry sandwich pancake blanket umbrella router projector blender dishwasher subscription webinar apartment lecture garage")
PARTS = words(
    "plot story ending cast acting dialogue music sound picture script pace room bed view breakfast dinner dessert menu staff waiter service "
    "price screen battery design colour handle sleeve fabric taste smell crust sauce portion queue ticket seat stage light teacher guide "
    "driver manual packaging delivery support software interface button cover translation chapter character atmosphere location parking",
    "soundtrack scenery narrator balcony shower receptionist hinge strap zipper filling topping conductor instructor courier charger "
    "keypad subtitle epilogue playlist neighbourhood")
PEOPLE = words("wife husband mother father sister brother daughter son friend neighbour colleague boss cousin aunt uncle",
               "grandmother nephew roommate teammate landlord")

# "The plot is ..."
GOOD = words(
    "good great excellent wonderful superb brilliant lovely delightful charming fantastic amazing perfect beautiful gorgeous splendid "
    "enjoyable pleasant funny clever moving touching gripping thrilling exciting inspiring fresh delicious tasty crisp juicy comfortable "
    "cosy spotless clean friendly kind helpful polite patient quick fast reliable sturdy elegant smooth generous warm bright honest "
    "impressive memorable magical flawless stunning refreshing satisfying outstanding terrific marvellous fabulous heavenly "
    "sensational thoughtful attentive affordable fair solid sharp witty tender heartfelt captivating addictive fun cheerful "
    "priceless incredible remarkable exquisite masterful uplifting adorable hilarious worthwhile",
    "exceptional sublime radiant delectable faultless enchanting engaging courteous superlative dependable")
BAD = words(
    "bad awful terrible horrible dreadful poor boring dull tedious slow ugly dirty filthy rude unfriendly careless clumsy cheap flimsy "
    "broken useless worthless pointless confusing messy noisy cold bland stale greasy soggy overpriced expensive uncomfortable cramped "
    "dark depressing annoying irritating frustrating disappointing mediocre lifeless predictable shallow silly stupid weak thin lazy "
    "unreliable faulty defective late unhelpful impatient arrogant dishonest disgusting inedible rotten sour bitter burnt dry tasteless "
    "forgettable lame painful pathetic ridiculous laughable embarrassing shoddy sloppy miserable unbearable unwatchable "
    "unreadable hopeless atrocious abysmal tiresome chaotic smelly shabby outdated hideous infuriating joyless",
    "appalling dismal lacklustre wretched grubby insipid tacky abrupt unpleasant unusable")

# "We ... it."
LIKED = words("loved adored enjoyed liked admired treasured praised recommended applauded savoured", "cherished relished")
DISLIKED = words("hated disliked regretted loathed despised returned avoided criticised endured resented", "detested abhorred")
# "It was a ..."
JOYS = words("joy delight pleasure treat triumph gem masterpiece bargain success surprise blessing highlight treasure winner dream", "revelation jewel")
WOES = words("disaster nightmare disappointment mess failure joke waste chore insult scam letdown shame ordeal bore flop", "fiasco travesty")
VERY = words("very really truly so quite absolutely simply utterly thoroughly extremely incredibly rather", "downright remarkably")
