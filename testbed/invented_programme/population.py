"""The invented programme's places, people and users."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from testbed.invented_programme.cht_configuration import (
    CHW,
    EMR,
    OFFICER,
    ONLINE,
    SERVICE,
    SUPERVISOR,
)
from testbed.invented_programme.names import AREAS, MEN, SITES, SURNAMES, WOMEN

Document = dict[str, Any]

HOUSEHOLDS_PER_AREA = (11, 6, 5)  # of each site
FOUNDED_DAYS_AGO = 700


@dataclass
class Area:
    place: Document
    worker: Document
    user: str
    households: list[Document] = field(default_factory=list)
    patients: list[Document] = field(default_factory=list)


@dataclass
class Site:
    key: str
    place: Document
    supervisor: Document
    deputy: Document
    areas: list[Area]

    @property
    def patients(self) -> list[Document]:
        return [patient for area in self.areas for patient in area.patients]

    def contacts(self) -> list[Document]:
        own = [self.place, self.supervisor, self.deputy]
        for area in self.areas:
            own += [area.place, area.worker, *area.households, *area.patients]
        return own


class Population:
    """Makes contacts one after the other; ids, names and shortcodes come from `draw`."""

    def __init__(self, now: datetime, draw: Random) -> None:
        self._draw = draw
        self._founded = now - timedelta(days=FOUNDED_DAYS_AGO)
        self._made = 0
        self._shortcodes = iter(draw.sample(range(10_000, 100_000), 2_000))

    def sites(self) -> list[Site]:
        return [self._site(number) for number in range(len(SITES))]

    def _site(self, number: int) -> Site:
        key = SITES[number].lower()
        place = self._place("site", f"{SITES[number]} Health Centre", None)
        supervisor = self._staff(place, SUPERVISOR)
        deputy = self._staff(place, SUPERVISOR)
        place["contact"] = link(supervisor)
        areas = [
            self._area(place, name, f"chw_{key}_{count}", HOUSEHOLDS_PER_AREA[number])
            for count, name in enumerate(AREAS[number], start=1)
        ]
        return Site(key, place, supervisor, deputy, areas)

    def _area(self, site: Document, name: str, user: str, households: int) -> Area:
        place = self._place("chw_area", name, site)
        worker = self._staff(place, CHW)
        place["contact"] = link(worker)
        area = Area(place, worker, user)
        for _ in range(households):
            self._household(area)
        return area

    def _household(self, area: Area) -> None:
        surname = self._draw.choice(SURNAMES)
        household = self._place("household", f"{surname} household", area.place)
        members = [self._member(household, surname) for _ in range(self._draw.randint(3, 5))]
        household["contact"] = link(members[0])
        area.households.append(household)
        area.patients += members

    def _member(self, household: Document, surname: str) -> Document:
        sex = self._draw.choice(("female", "male"))
        first = self._draw.choice(WOMEN if sex == "female" else MEN)
        person = self._person(f"{first} {surname}", household)
        born = self._founded - timedelta(days=self._draw.randint(3 * 365, 70 * 365))
        person |= {"sex": sex, "date_of_birth": born.date().isoformat()}
        if self._draw.random() < 0.6:
            person["phone"] = self._phone()
        return person

    def _staff(self, place: Document, role: str) -> Document:
        name = f"{self._draw.choice(WOMEN + MEN)} {self._draw.choice(SURNAMES)}"
        return self._person(name, place) | {"role": role, "phone": self._phone()}

    def _person(self, name: str, parent: Document) -> Document:
        return self._contact("person", name, parent) | {"patient_id": self._shortcode()}

    def _place(self, kind: str, name: str, parent: Document | None) -> Document:
        return self._contact(kind, name, parent) | {"place_id": self._shortcode()}

    def _contact(self, kind: str, name: str, parent: Document | None) -> Document:
        self._made += 1
        reported = self._founded + timedelta(minutes=7 * self._made)
        contact: Document = {
            "_id": invented_id(self._draw),
            "type": "contact",
            "contact_type": kind,
            "name": name,
            "reported_date": milliseconds(reported),
        }
        return contact | ({"parent": link(parent)} if parent else {})

    def _shortcode(self) -> str:
        return str(next(self._shortcodes))

    def _phone(self) -> str:
        return f"+2659{self._draw.choice('89')}{self._draw.randrange(10**7):07d}"


def users(sites: list[Site]) -> list[Document]:
    """One supervisor a site, a deputy, one of two sites, the officer, two machines, the CHWs."""
    first, *others = sites
    own = [_supervisor(site.key, site.supervisor, site) for site in sites]
    workers = [
        _user(area.user, area.worker["name"], CHW, [area.place], area.worker)
        for site in sites
        for area in site.areas
    ]
    return [
        *own,
        _user(f"deputy_{first.key}", first.deputy["name"], SUPERVISOR, [first.place], first.deputy),
        _supervisor("two_sites", others[0].deputy, *others),
        _user("officer", "Programme officer", OFFICER),
        _user("worklist", "Worklist service", SERVICE),
        _user("emr", "EMR integration", EMR),
        *workers,
    ]


def _supervisor(key: str, contact: Document, *sites: Site) -> Document:
    places = [site.place for site in sites]
    return _user(f"supervisor_{key}", contact["name"], SUPERVISOR, places, contact)


def _user(
    name: str,
    fullname: str,
    role: str,
    places: list[Document] | None = None,
    contact: Document | None = None,
) -> Document:
    document: Document = {
        "_id": f"org.couchdb.user:{name}",
        "name": name,
        "type": "user-settings",
        "fullname": fullname,
        "roles": [role] if role == CHW else [role, ONLINE],
        "known": True,
    }
    if places:
        document["facility_id"] = [place["_id"] for place in places]
    if contact:
        document["contact_id"] = contact["_id"]
    return document


def link(contact: Document) -> Document:
    """`{_id, parent}` with all ancestors, as the CHT stores a reference to a contact."""
    parent = contact.get("parent")
    return {"_id": contact["_id"], **({"parent": parent} if parent else {})}


def invented_id(draw: Random) -> str:
    return str(UUID(int=draw.getrandbits(128), version=4))


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
